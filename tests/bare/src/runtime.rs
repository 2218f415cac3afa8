//! What the standard library would bring: an allocator, the canonical ABI's `realloc`, and an end
//! for a panic.

use core::alloc::{GlobalAlloc, Layout};

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(align: usize, size: usize) -> *mut u8;
    fn free(memory: *mut u8);
}

/// libc's.
struct Libc;

// SAFETY: libc's allocator, asked for a size that is a multiple of the alignment.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(size_of::<usize>());
        // SAFETY: an alignment, and a multiple of it.
        unsafe { aligned_alloc(align, layout.size().next_multiple_of(align)) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: the caller's.
        unsafe { free(memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Libc = Libc;

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
    // SAFETY: the caller's: an alignment, and memory that came from here.
    unsafe {
        let memory = match (old_size, size) {
            (0, 0) => return core::ptr::without_provenance_mut(align),
            (0, _) => ALLOCATOR.alloc(Layout::from_size_align_unchecked(size, align)),
            _ => {
                let layout = Layout::from_size_align_unchecked(old_size, align);
                ALLOCATOR.realloc(old, layout, size)
            }
        };
        if memory.is_null() {
            core::arch::wasm32::unreachable();
        }
        memory
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
