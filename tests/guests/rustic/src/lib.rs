//! A guest on the crate `iommap-guest`. Its commands are in `tests/script`.
//!
//! It counts whatever asks for memory: its allocator, and its `cabi_realloc`, which takes the
//! place of that of the standard library. So it also shows that the crate goes with one of the
//! program's own.

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: "../driver/wit",
        world: "iommap:test/driver",
        generate_all,
    });
}

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use iommap_script::Script;

static ASKED: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: the caller's.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The program's own, by which everything comes in that no buffer was lent for.
///
/// # Safety
///
/// That of the canonical ABI.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    size: usize,
) -> *mut u8 {
    if size == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    ASKED.fetch_add(1, Relaxed);
    // SAFETY: the caller's: an alignment, and memory that came from here.
    unsafe {
        let memory = if old_size == 0 {
            System.alloc(Layout::from_size_align_unchecked(size, align))
        } else {
            System.realloc(old, Layout::from_size_align_unchecked(old_size, align), size)
        };
        if memory.is_null() {
            core::arch::wasm32::unreachable();
        }
        memory
    }
}

struct Rustic;

bindings::export!(Rustic with_types_in bindings);

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::new(Script::new(|| ASKED.load(Relaxed)));
}

impl bindings::Guest for Rustic {
    fn step(command: String) -> String {
        SCRIPT.with_borrow_mut(|script| script.step(&command))
    }
}
