//! One window, and what may be seen in it.

use iommap_guest::Window;

pub(crate) const PAGE: u64 = 4096;

/// A window, whose first byte and length are multiples of a word.
pub(crate) struct Pane {
    pub(crate) window: Window,
    /// What is stored there reaches the file.
    pub(crate) shared: bool,
    /// Something was stored there that may not have.
    pub(crate) own: bool,
    /// It is of a file that was there before: nothing is known of that any more.
    pub(crate) old: bool,
}

impl Pane {
    /// Where in the file it begins.
    pub(crate) fn start(&self) -> u64 {
        self.window.offset()
    }

    pub(crate) fn end(&self) -> u64 {
        self.start() + self.window.len() as u64
    }

    /// The pages of the file that it has a part of.
    pub(crate) fn pages(&self) -> std::ops::Range<u64> {
        self.start() / PAGE..self.end().div_ceil(PAGE)
    }

    /// The part of a page that it has, as offsets in the file.
    pub(crate) fn part(&self, page: u64) -> std::ops::Range<u64> {
        let part = page * PAGE..(page + 1) * PAGE;
        part.start.max(self.start())..part.end.min(self.end())
    }

    /// Loads a range of the file, word by word: from the last one to the first if `back`. Its ends
    /// are multiples of a word.
    pub(crate) fn load(&self, range: std::ops::Range<u64>, back: bool, words: &mut [[u8; 8]]) {
        let from = self.place(range.start).cast::<u64>();
        let load = |(n, word): (usize, &mut [u8; 8])| {
            // SAFETY: inside the window, and aligned. Volatile, because others change it.
            *word = unsafe { from.add(n).read_volatile() }.to_ne_bytes();
        };
        let words = words.iter_mut().take((range.end - range.start) as usize / 8).enumerate();
        if back { words.rev().for_each(load) } else { words.for_each(load) }
    }

    /// Stores a range of the file, likewise.
    pub(crate) fn store(&mut self, range: std::ops::Range<u64>, words: &[[u8; 8]]) {
        let to = self.place(range.start).cast_mut().cast::<u64>();
        for (n, word) in words.iter().take((range.end - range.start) as usize / 8).enumerate() {
            // SAFETY: as for `load`; and this is the only reference to the window.
            unsafe { to.add(n).write_volatile(u64::from_ne_bytes(*word)) };
        }
    }

    /// The bytes of a range of the file, for a call of the host's that reads or writes them.
    ///
    /// # Safety
    ///
    /// Nothing else refers to them meanwhile; they may change all the same, so nothing but a call of
    /// the host's, which takes them for bytes, is given them.
    pub(crate) unsafe fn bytes(&mut self, range: std::ops::Range<u64>) -> &mut [u8] {
        let at = self.place(range.start).cast_mut();
        let length = (range.end - range.start) as usize;
        // SAFETY: inside the window, and the caller's word.
        unsafe { std::slice::from_raw_parts_mut(at, length) }
    }

    fn place(&self, offset: u64) -> *const u8 {
        let within = offset - self.start();
        assert!(within < self.window.len() as u64);
        // SAFETY: inside the window.
        unsafe { self.window.as_ptr().add(within as usize) }
    }
}
