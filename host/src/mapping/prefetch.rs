//! Asking the processor for bytes before they are copied: a page that is not in its caches takes
//! longer to arrive than the rest of a call takes to come to the copy.

/// So much of a range is asked for ahead; the processor sees by itself how a long copy goes on.
const AHEAD: u64 = 1024;

/// A processor fetches at least this much of memory at once.
const LINE: usize = 64;

/// Asks for the first and the last bytes of a range.
#[inline]
pub(super) fn prefetch(start: *const u8, length: u64) {
    if length == 0 {
        return;
    }
    fetch(start);
    if length as usize > LINE {
        let ahead = length.min(AHEAD) as usize;
        for line in (LINE..ahead).step_by(LINE) {
            fetch(start.wrapping_add(line));
        }
        // It may be on the next page, whose place takes as long to find as its bytes.
        fetch(start.wrapping_add(length as usize - 1));
    }
}

/// Asks the processor for a line of memory. Whatever the address is, this is no access to it: it
/// can't fault, and no byte is seen.
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
