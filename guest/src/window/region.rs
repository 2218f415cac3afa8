//! Memory of the guest's own, set aside for a window.

use crate::{Error, ErrorKind};
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What regions, and the offsets that windows begin at, are multiples of.
pub(crate) const UNIT: usize = 1 << 16;

/// What a large region begins at a multiple of: where the file is in huge pages, the host's system maps
/// them as such only if they lie in memory as they lie in the file.
const HUGE: usize = 2 << 20;

/// Memory with room for a window and, behind it, for a token.
#[derive(Debug)]
pub(crate) struct Region {
    start: NonNull<u8>,
    length: usize,
    token: u64,
}

// SAFETY: the memory is its own, and nobody writes to it through a shared reference.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Room for so many bytes of a file, with a token that is not there yet.
    pub(super) fn new(bytes: usize) -> Result<Region, Error> {
        // The file takes whole pages of the host's, which are a unit at most.
        let length = bytes.checked_next_multiple_of(UNIT).and_then(|n| n.checked_add(UNIT));
        let layout = length.and_then(layout).ok_or(ErrorKind::Enomem)?;
        // SAFETY: at least a unit.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or(ErrorKind::Enomem)?;
        Ok(Region { start, length: layout.size(), token: token(start) })
    }

    /// Its first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// All of it, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// For how many bytes of a file there is room.
    pub(super) fn room(&self) -> usize {
        self.length - UNIT
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// Where the token stands: in the last eight bytes.
    pub(super) fn token_place(&self) -> NonNull<u64> {
        // SAFETY: a region is a unit long at least.
        unsafe { self.start.byte_add(self.length - size_of::<u64>()) }.cast()
    }

    /// Puts something where the token stands.
    pub(super) fn sign(&self, token: u64) {
        // SAFETY: the memory is ours, and aligned. Volatile, because the host looks.
        unsafe { self.token_place().write_volatile(token.to_le()) };
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Whoever gets this memory next shall not find a token in it.
        self.sign(0);
        // SAFETY: allocated with this layout; and memory again, or whoever has the region keeps it.
        unsafe {
            dealloc(self.start.as_ptr(), layout(self.length).unwrap_unchecked());
        }
    }
}

/// The memory for a region of this length.
fn layout(length: usize) -> Option<Layout> {
    Layout::from_size_align(length, if length > HUGE { HUGE } else { UNIT }).ok()
}

/// A token that is in no other memory at the same place: not 0, and another each time.
fn token(start: NonNull<u8>) -> u64 {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = u64::from(COUNT.fetch_add(1, Relaxed)) << 32;
    (seed() ^ count ^ start.addr().get() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// What another instance of the same program has another one of.
#[cfg(feature = "std")]
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Nothing random is at hand.
#[cfg(not(feature = "std"))]
fn seed() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_region_begins_where_huge_pages_do() {
        for (bytes, align) in [(1, UNIT), (HUGE - UNIT, UNIT), (HUGE, HUGE), (5 * HUGE + 1, HUGE)] {
            let region = Region::new(bytes).expect("memory");
            assert_eq!(region.start().addr().get() % align, 0, "{bytes} bytes");
            assert!(region.room() >= bytes);
        }
    }
}
