//! What gives out memory, counted.

use crate::ASKED;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::Relaxed;

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

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The program's own, by which everything comes in that no buffer was lent for.
///
/// # Safety
///
/// That of the canonical ABI.
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
