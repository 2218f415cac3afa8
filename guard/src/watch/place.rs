//! What is known of one window, in a place that the handler reads without a lock.
//!
//! A place is never freed, only used again, and has a version that is odd while it changes. So
//! the handler never believes half of a change, and never waits: the window that a fault lies in
//! can't be changing, since its memory belongs to whoever faulted.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

/// A place: free while its range is empty.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The version above, and below it how often a page was lost: together, so that a loss is
    /// never counted for the next window in this place.
    state: AtomicU64,
    start: AtomicUsize,
    end: AtomicUsize,
    device: AtomicU64,
    inode: AtomicU64,
    offset: AtomicU64,
    /// Not for the handler.
    pub(super) owner: AtomicUsize,
}

/// What is mapped at an address. Nothing that is known of, if the inode is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Where in the file the address is.
    pub(super) offset: u64,
}

/// What a place holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) version: u32,
    pub(super) lost: u32,
    pub(super) range: Range<usize>,
    pub(super) file: File,
}

fn parts(state: u64) -> (u32, u32) {
    ((state >> 32) as u32, state as u32)
}

impl Place {
    /// Changes what the place holds, with nothing lost; returns its new version. With the table
    /// locked.
    pub(super) fn set(&self, range: Range<usize>, file: File) -> u32 {
        let (version, _) = parts(self.state.load(Ordering::Relaxed));
        let state = |version: u32| u64::from(version) << 32;
        self.state.store(state(version.wrapping_add(1)), Ordering::Relaxed);
        fence(Ordering::Release);
        self.start.store(range.start, Ordering::Relaxed);
        self.end.store(range.end, Ordering::Relaxed);
        self.device.store(file.device, Ordering::Relaxed);
        self.inode.store(file.inode, Ordering::Relaxed);
        self.offset.store(file.offset, Ordering::Relaxed);
        let version = version.wrapping_add(2);
        self.state.store(state(version), Ordering::Release);
        version
    }

    /// What the place holds, unless it is being changed. For the handler too.
    pub(super) fn read(&self) -> Option<Window> {
        let (version, lost) = parts(self.state.load(Ordering::Acquire));
        let window = Window {
            version,
            lost,
            range: self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed),
            file: File {
                device: self.device.load(Ordering::Relaxed),
                inode: self.inode.load(Ordering::Relaxed),
                offset: self.offset.load(Ordering::Relaxed),
            },
        };
        fence(Ordering::Acquire);
        let (after, _) = parts(self.state.load(Ordering::Relaxed));
        (version == after && version.is_multiple_of(2)).then_some(window)
    }

    /// What the place holds, if it is still at that version.
    pub(super) fn get(&self, version: u32) -> Option<Window> {
        self.read().filter(|window| window.version == version)
    }

    /// How often a page was lost, if the place is still at that version.
    #[inline]
    pub(super) fn lost(&self, version: u32) -> Option<u32> {
        let (now, lost) = parts(self.state.load(Ordering::Acquire));
        (now == version).then_some(lost)
    }

    /// Counts a lost page, if the place is still at that version. For the handler.
    pub(super) fn lose(&self, version: u32) {
        let count = |state| {
            let (now, lost) = parts(state);
            (now == version).then(|| u64::from(now) << 32 | u64::from(lost.saturating_add(1)))
        };
        // It goes round again only if another thread lost a page of the same window meanwhile.
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: File = File { device: 1, inode: 2, offset: 3 };

    #[test]
    fn a_place_tells_what_was_set_and_forgets_what_was_lost() {
        let place = Place::default();
        let first = place.set(0x10000..0x20000, FILE);
        place.lose(first);
        place.lose(first);
        let expected = Window { version: first, lost: 2, range: 0x10000..0x20000, file: FILE };
        assert_eq!(place.get(first), Some(expected));
        let second = place.set(0x30000..0x40000, File::default());
        assert_ne!(first, second);
        assert_eq!((place.get(first), place.lost(first)), (None, None));
        assert_eq!(place.lost(second), Some(0));
        place.lose(first);
        assert_eq!(place.lost(second), Some(0), "a loss of the window before");
    }

    #[test]
    fn a_reader_never_sees_half_of_a_change() {
        let place = Place::default();
        let done = std::sync::atomic::AtomicBool::new(false);
        let mut seen = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..200_000 {
                    let file = File { device: n as u64, inode: n as u64, offset: n as u64 };
                    place.set(n..2 * n, file);
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) || seen == 0 {
                let Some(window) = place.read() else { continue };
                let n = window.range.start as u64;
                assert_eq!(window.range.end as u64, 2 * n);
                assert_eq!(window.file, File { device: n, inode: n, offset: n });
                seen += 1;
            }
        });
    }
}
