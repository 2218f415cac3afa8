//! Whether any window of the program lost a page: for programs whose own code can't ask each.

use super::region::Region;
use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, Ordering::Relaxed, compiler_fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the tokens of the open windows are, and what they are.
static OPEN: Mutex<BTreeMap<usize, u64>> = Mutex::new(BTreeMap::new());

/// How many looks there were: see `Window::whole`.
static LOOKS: AtomicU32 = AtomicU32::new(0);

/// Had one lost a page that was moved since, or is gone?
static BEFORE: AtomicBool = AtomicBool::new(false);

/// Has any window of this program lost a page so far?
///
/// A program that reads by slices of its own asks this at its end, say, or before it acts on what it
/// has read: one on `memmap2` that was not written for windows. Where a page was lost it has read
/// zeros. It is a load for each window that is open.
///
/// ```
/// assert!(!iommap_guest::lost());
/// ```
pub fn lost() -> bool {
    BEFORE.load(Relaxed) || open().iter().any(|(at, token)| look(*at) != *token)
}

/// A window begins.
pub(super) fn begins(region: &Region) {
    open().insert(place(region), region.token());
}

/// A window moves, or ends, that may have lost a page.
pub(super) fn moves(lost: bool) {
    BEFORE.fetch_or(lost, Relaxed);
}

/// A window ends. Its memory may go afterwards.
pub(super) fn ends(region: &Region) {
    let at = place(region);
    if let Some(token) = open().remove(&at) {
        moves(look(at) != token);
    }
}

/// Where a region's token is, to be looked at later.
fn place(region: &Region) -> usize {
    region.token_place().as_ptr().expose_provenance()
}

fn open() -> MutexGuard<'static, BTreeMap<usize, u64>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stands where a token was put: now, and not when it was last looked at, nor before what the caller
/// has read. The fence and the store are what makes two compilers keep to that.
fn look(at: usize) -> u64 {
    compiler_fence(Ordering::SeqCst);
    LOOKS.fetch_add(1, Relaxed);
    let place = core::ptr::with_exposed_provenance::<u64>(at);
    // SAFETY: of a window that is open, or ends just now: its memory is there.
    u64::from_le(unsafe { place.read_volatile() })
}
