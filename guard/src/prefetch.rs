//! Asking the processor for bytes before they are copied: a page that is not in its caches takes
//! longer to arrive than what a program does before it comes to the copy.

/// So much of a range is asked for ahead; the processor sees by itself how a long copy goes on.
const AHEAD: usize = 1024;

/// A processor fetches at least this much of memory at once.
const LINE: usize = 64;

/// Has the processor fetch the first of `len` bytes, up to a KiB, and the last one, while the program
/// does something else: checks and a call before a [`copy`](crate::copy) from a random place cost a
/// tenth to a seventh of it less then. It is a hint. Nothing is read, and an address may be any.
#[inline]
pub fn prefetch(at: *const u8, len: usize) {
    for offset in (0..len.min(AHEAD)).step_by(LINE) {
        fetch(at.wrapping_add(offset));
    }
    if len > LINE {
        // It may be on the next page, whose place takes as long to find as its bytes.
        fetch(at.wrapping_add(len - 1));
    }
}

/// Asks for a line of memory. Whatever the address is, this is no access to it: it can't fault, and
/// no byte is seen.
#[inline(always)]
fn fetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, for any address, that every processor of this kind knows.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint, for any address; it changes neither memory nor registers nor flags.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{0}]",
            in(reg) address,
            options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
