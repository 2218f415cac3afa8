//! The windows that there are.

use super::admission::Admission;
use crate::window::{UNIT, Window};
use crate::{Error, ErrorKind, Mapping, Range};
use alloc::vec::Vec;

/// No file has such a chunk.
const NONE: u64 = u64::MAX;

pub(super) struct Set {
    /// Each window's chunk, where the file is looked for.
    chunks: Vec<u64>,
    shown: Vec<Shown>,
    /// Where the last one was found.
    last: usize,
    /// The number of the next use.
    clock: u64,
    /// How many there may be: fewer, once the host has refused one.
    most: usize,
    /// A chunk has two to the power of this bytes.
    shift: u32,
    admission: Admission,
    copies: u64,
}

struct Shown {
    window: Window,
    /// When it was used last.
    used: u64,
}

/// Where a window is among the others.
#[derive(Clone, Copy)]
pub(super) struct Found(usize);

impl Set {
    pub(super) fn new(windows: usize, bytes: usize) -> Set {
        // More than a window could ever have is as good as that.
        let bytes = bytes.clamp(UNIT, 1 << 30).next_power_of_two();
        Set {
            chunks: Vec::new(),
            shown: Vec::new(),
            last: 0,
            clock: 0,
            most: windows,
            shift: bytes.trailing_zeros(),
            admission: Admission::new(),
            copies: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.shown.len()
    }

    pub(super) fn copies(&self) -> u64 {
        self.copies
    }

    /// The window that has all of a range, and where in it.
    #[inline]
    pub(super) fn window(&mut self, mapping: &Mapping, range: Range) -> Option<(&Window, usize)> {
        let found = self.find(mapping, range)?;
        Some(self.at(found, range.offset))
    }

    /// The window that has all of a range, if it is also sure that nothing of it was lost so far.
    pub(super) fn find_whole(&mut self, mapping: &Mapping, range: Range) -> Option<Found> {
        let found = self.find(mapping, range)?;
        if self.shown[found.0].window.check().is_err() {
            self.forget(found.0);
            return None;
        }
        Some(found)
    }

    /// A window that was found, and where in it an offset of the file is.
    #[inline]
    pub(super) fn at(&self, Found(index): Found, offset: u64) -> (&Window, usize) {
        // Smaller than a chunk.
        (&self.shown[index].window, (offset & ((1 << self.shift) - 1)) as usize)
    }

    #[inline]
    fn find(&mut self, mapping: &Mapping, range: Range) -> Option<Found> {
        let chunk = range.offset >> self.shift;
        let within = range.offset & ((1 << self.shift) - 1);
        if range.length > (1 << self.shift) - within {
            return None;
        }
        if self.chunks.get(self.last) != Some(&chunk) {
            self.last = match self.chunks.iter().position(|there| *there == chunk) {
                Some(index) => index,
                None => self.admit(mapping, chunk, range.length)?,
            };
        }
        let shown = self.shown.get_mut(self.last)?;
        self.clock += 1;
        shown.used = self.clock;
        if within + range.length > shown.window.len() as u64 {
            self.ends(mapping);
            return None;
        }
        Some(Found(self.last))
    }

    /// Something is read by a copy: no window has it, or it lost a page.
    #[cold]
    pub(super) fn copy(&mut self) {
        if let Some(shown) = self.shown.get(self.last)
            && shown.window.check().is_err()
        {
            self.forget(self.last);
        }
        self.copies += 1;
    }

    /// What is read lies behind the end of the last window: of the file, or of what it had when the
    /// window was opened.
    #[cold]
    fn ends(&mut self, mapping: &Mapping) {
        let window = &self.shown[self.last].window;
        let end = window.offset() + window.len() as u64;
        if mapping.known_len().is_ok_and(|len| len > end) {
            self.forget(self.last);
        }
    }

    /// Lets a window go that is of no use where it is: it is the first to be moved.
    fn forget(&mut self, index: usize) {
        self.chunks[index] = NONE;
        self.shown[index].used = 0;
    }

    /// Gives a chunk a window if it has earned one, and returns its place.
    #[cold]
    fn admit(&mut self, mapping: &Mapping, chunk: u64, length: u64) -> Option<usize> {
        if self.most == 0 || !self.admission.earned(chunk, length) {
            return None;
        }
        let start = chunk << self.shift;
        let left = mapping.known_len().ok()?.checked_sub(start).filter(|left| *left > 0)?;
        let range = Range { offset: start, length: left.min(1 << self.shift) };
        if self.shown.len() < self.most {
            // With room for a whole chunk, if the file has one.
            let room = mapping.known_len().ok()?.min(1 << self.shift) as usize;
            match Window::open(mapping, range, Default::default(), room) {
                Ok(window) => {
                    self.chunks.push(chunk);
                    self.shown.push(Shown { window, used: 0 });
                    return Some(self.shown.len() - 1);
                }
                // None for this file, or not now: but what was refused for want of something isn't
                // asked for again.
                Err(error) if refused(&error) => self.most = self.shown.len(),
                Err(_) => return None,
            }
        }
        let oldest = (0..self.shown.len()).min_by_key(|&index| self.shown[index].used)?;
        self.chunks[oldest] = NONE;
        self.shown[oldest].window.move_to(mapping, range).ok()?;
        self.chunks[oldest] = chunk;
        Some(oldest)
    }
}

fn refused(error: &Error) -> bool {
    use ErrorKind::{Eacces, Enomem, Enotsup, LimitExceeded};
    matches!(error.kind(), Enotsup | LimitExceeded | Eacces | Enomem)
}
