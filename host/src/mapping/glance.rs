//! What can be told of a mapping without its lock: its length, and where its bytes begin.
//!
//! A call checks its range by a glance, before it asks the guest for memory, and once more under
//! the lock, when it copies. So a glance may be out of date, but it is never trusted: what it
//! refuses was wrong when the call came, and what it lets pass is checked again.

#[cfg(feature = "component")]
use super::Range;
use super::region::Region;
#[cfg(feature = "component")]
use crate::error::Error;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

/// No region is that long.
const CLOSED: u64 = u64::MAX;

/// So much of a range is asked for ahead; the processor sees by itself how a long copy goes on.
const AHEAD: u64 = 1024;

/// A processor fetches at least this much of memory at once.
const LINE: usize = 64;

#[derive(Debug)]
pub(super) struct Glance {
    length: AtomicU64,
    base: AtomicPtr<u8>,
}

impl Glance {
    pub(super) fn new(region: &Region) -> Glance {
        Glance { length: region.len().into(), base: region.base().into() }
    }

    /// Another region serves from now on. Called under the lock.
    pub(super) fn replace(&self, region: &Region) {
        self.length.store(region.len(), Relaxed);
        self.base.store(region.base(), Relaxed);
    }

    /// The mapping is closed from now on. Called under the lock.
    pub(super) fn close(&self) {
        self.length.store(CLOSED, Relaxed);
    }

    #[cfg(feature = "component")]
    pub(super) fn is_closed(&self) -> bool {
        self.length.load(Relaxed) == CLOSED
    }

    /// Does a range lie inside a mapping that is open?
    #[cfg(feature = "component")]
    #[inline]
    pub(super) fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        let end = offset.checked_add(length).ok_or(Error::OutOfBounds)?;
        if end > self.length.load(Relaxed) {
            return Err(Error::OutOfBounds);
        }
        Ok(())
    }

    /// Sends for the first bytes of a range that lies inside: a page that is not in the processor's
    /// caches takes longer to arrive than the rest of the call takes to come to it.
    #[cfg(feature = "component")]
    #[inline]
    pub(super) fn fetch_ahead(&self, range: Range) {
        // At or below the length of a region, unless it was closed just now, and then it does not
        // matter what is asked for.
        let start = self.base.load(Relaxed).wrapping_add(range.offset as usize);
        fetch_ahead(start, range.length);
    }
}

/// Asks for the first and the last bytes of a range.
#[inline]
pub(super) fn fetch_ahead(start: *const u8, length: u64) {
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
