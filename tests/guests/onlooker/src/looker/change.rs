//! Storing into windows, and having the host copy to them and from them.

use super::{ANY, Looker, NO_WORDS, OWN};
use crate::pane::{PAGE, Pane};
use iommap_guest::Mapping;
use iommap_pattern as pattern;
use std::ops::Range;

impl Looker {
    /// Stores to a page of our own, in a window that is shared.
    pub(super) fn store(&mut self, pane: &mut Pane) {
        let Some(page) = self.own_page(pane).filter(|_| !pane.old) else { return };
        self.generation = self.generation % 2 + 1;
        let generation = self.generation;
        self.allowed[page as usize] |= 1 << generation;
        let part = pane.part(page);
        self.fill(pane, part.clone(), generation);
        // If no page was lost, all of it has reached the file, and what was there is gone. Otherwise
        // it may be in the window alone.
        pane.own |= self.lost(pane);
        if !pane.own && part.end - part.start == PAGE {
            self.allowed[page as usize] = 1 | 1 << generation;
        }
        self.see(pane, &[page], true);
    }

    /// Stores anywhere in a window that is not.
    pub(super) fn store_own(&mut self, pane: &mut Pane) {
        pane.own = true;
        let pages: Vec<u64> = pane.pages().collect();
        let page = pages[self.random.usize(..pages.len())];
        self.fill(pane, pane.part(page), OWN);
        self.see(pane, &[page], true);
    }

    /// Has the host copy to a window that is not shared, which moves away then.
    pub(super) fn pread_into(&mut self, pane: &mut Pane, mapping: &Mapping, length: u64) {
        if pane.shared {
            return;
        }
        let to = pane.part(pane.pages().start);
        let from = self.range(0..length, 8);
        let from = from.start..from.end.min(from.start + (to.end - to.start));
        let to = to.start..to.start + (from.end - from.start);
        // SAFETY: nothing refers to it but this.
        let bytes = unsafe { pane.bytes(to.clone()) };
        let read = mapping.read_exact_at(from.start, bytes);
        if self.count(read).is_some() {
            let mut page = NO_WORDS;
            let words = &mut page[..(to.end - to.start) as usize / 8];
            pane.load(to.clone(), false, words);
            for (n, word) in (0..).map(|n| 8 * n).zip(&*words) {
                // In between, the file may have lost what was copied there, and have it back: then it
                // is the window's own bytes again.
                if pattern::wrong(word, to.start + n, ANY).is_some() {
                    let at = from.start + n;
                    self.report.copied += self.verify(word, at, self.allowed[(at / PAGE) as usize]);
                }
            }
        }
        self.move_to(pane, mapping, length);
    }

    /// Has the host copy from a window to a page of our own.
    pub(super) fn pwrite_from(&mut self, pane: &mut Pane, mapping: &Mapping) {
        let Some(page) = self.own_page(pane).filter(|_| !pane.old) else { return };
        self.generation = self.generation % 2 + 1;
        let generation = self.generation;
        self.allowed[page as usize] |= 1 << generation;
        let part = pane.part(page);
        // All of it, so that no zeros are written which stood in a page that was lost.
        pane.own = true;
        self.fill(pane, part.clone(), generation);
        // SAFETY: nothing refers to it but this.
        let bytes = unsafe { pane.bytes(part.clone()) };
        let written = self.count(mapping.write_all_at(part.start, bytes)).is_some();
        if written && part.end - part.start == PAGE {
            self.allowed[page as usize] = 1 | 1 << generation;
        }
    }

    /// Stores a generation's words.
    fn fill(&mut self, pane: &mut Pane, part: Range<u64>, generation: u32) {
        let mut page = NO_WORDS;
        let words = &mut page[..(part.end - part.start) as usize / 8];
        for (index, word) in (part.start / 8..).zip(&mut *words) {
            *word = pattern::word(index, generation);
        }
        pane.store(part.clone(), words);
        self.report.stored += part.end - part.start;
    }

    /// A page of our own of which a window has a part.
    fn own_page(&mut self, pane: &Pane) -> Option<u64> {
        let pages = pane.pages();
        let (owner, owners) = (self.job.owner, self.job.owners);
        let own: Vec<u64> = pages.filter(|page| page % owners == owner).collect();
        self.random.choice(own)
    }
}
