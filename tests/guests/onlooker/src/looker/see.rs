//! Looking at windows and at the file, and whether each byte may stand there.

use super::{ANY, Looker, NO_WORDS};
use crate::bindings::Wrong;
use crate::pane::{PAGE, Pane};
use iommap_guest::{Error, ErrorKind, Mapping};
use iommap_pattern as pattern;

impl Looker {
    /// Looks at all windows there are, without a call of the host.
    pub(crate) fn look(&mut self) {
        let any = self.in_file();
        self.allowed.fill(any);
        for pane in &mut self.panes {
            pane.old = true;
        }
        let panes = std::mem::take(&mut self.panes);
        for pane in &panes {
            let pages: Vec<u64> = pane.pages().rev().collect();
            self.see(pane, &pages, true);
        }
        self.panes = panes;
    }

    /// Looks at all pages of a window, and says whether one was lost. In one order or another: the
    /// further in front a lost page is that is touched, the more of the window becomes zeros with it.
    pub(super) fn sweep(&mut self, pane: &mut Pane) -> bool {
        let mut pages: Vec<u64> = pane.pages().collect();
        match self.below(8) {
            0 => {}
            1 => self.random.shuffle(&mut pages),
            _ => pages.reverse(),
        }
        let whole = self.below(64) == 0;
        let lost = self.see(pane, &pages, whole);
        if let Some(by_host) = self.told(pane.window.check_by_host())
            && by_host != lost
        {
            self.report.disagreed += 1;
        }
        lost
    }

    /// Loads from pages of a window, and says whether one was lost.
    pub(super) fn see(&mut self, pane: &Pane, pages: &[u64], whole: bool) -> bool {
        let (mut page, mut none) = (NO_WORDS, 0);
        for &number in pages {
            let part = pane.part(number);
            let part = if whole { part } else { self.word_of(part) };
            let words = &mut page[..(part.end - part.start) as usize / 8];
            pane.load(part.clone(), self.below(2) == 0, words);
            let bytes = words.as_flattened();
            none += zeros(bytes);
            self.report.loaded += self.verify(bytes, part.start, self.may_show(pane, number));
        }
        let lost = self.lost(pane);
        if self.job.strict && !lost {
            self.report.untold += none;
        }
        lost
    }

    /// What a page may show in a window.
    pub(super) fn may_show(&self, pane: &Pane, page: u64) -> u32 {
        match (pane.own, pane.old) {
            (true, _) => ANY,
            (false, true) => self.in_file(),
            (false, false) => self.allowed[page as usize],
        }
    }

    /// Has the window lost a page?
    pub(super) fn lost(&mut self, pane: &Pane) -> bool {
        self.told(pane.window.check()).unwrap_or_default()
    }

    /// What a check says.
    pub(super) fn told(&mut self, checked: Result<(), Error>) -> Option<bool> {
        match checked {
            Ok(()) => Some(false),
            Err(error) if error == ErrorKind::Sigbus => {
                self.report.lost += 1;
                Some(true)
            }
            other => {
                self.count(other);
                None
            }
        }
    }

    /// Copies a part of a window, as most guests do.
    pub(super) fn read(&mut self, pane: &mut Pane) {
        let range = self.range(0..pane.window.len() as u64, 1);
        let mut bytes = vec![0; (range.end - range.start).min(3 * PAGE) as usize];
        let read = pane.window.read_exact_at(range.start as usize, &mut bytes);
        if self.told(read) == Some(false) {
            let start = pane.start() + range.start;
            if self.job.strict {
                self.report.untold += zeros(&bytes);
            }
            let mut at = start;
            for piece in pieces(&bytes, start) {
                let allowed = self.may_show(pane, at / PAGE);
                self.report.loaded += self.verify(piece, at, allowed);
                at += piece.len() as u64;
            }
        }
    }

    /// Has the host copy from the file, as without windows.
    pub(super) fn pread(&mut self, mapping: &Mapping, length: u64) {
        let range = self.range(0..length, 1);
        let mut bytes = vec![0; (range.end - range.start).min(2 * PAGE) as usize];
        if self.count(mapping.read_exact_at(range.start, &mut bytes)).is_none() {
            return;
        }
        // The host doesn't put zeros anywhere for it.
        if self.job.strict {
            self.report.untold += zeros(&bytes);
        }
        let mut at = range.start;
        for piece in pieces(&bytes, at) {
            self.report.copied += self.verify(piece, at, self.allowed[(at / PAGE) as usize]);
            at += piece.len() as u64;
        }
    }

    /// Counts bytes of one page that are wrong; returns how many are right. A zero may be a page that
    /// was lost.
    pub(super) fn verify(&mut self, bytes: &[u8], offset: u64, allowed: u32) -> u64 {
        match pattern::wrong(bytes, offset, allowed) {
            None => bytes.len() as u64,
            Some((first, count)) => {
                self.report.wrong += count;
                let found = bytes[(first - offset) as usize];
                self.report.first_wrong.get_or_insert(Wrong { offset: first, found, allowed });
                bytes.len() as u64 - count
            }
        }
    }
}

/// Bytes of a file, in pieces that lie in one page each.
fn pieces(bytes: &[u8], offset: u64) -> impl Iterator<Item = &[u8]> {
    let first = ((PAGE - offset % PAGE) as usize).min(bytes.len());
    let (first, rest) = bytes.split_at(first);
    std::iter::once(first).chain(rest.chunks(PAGE as usize)).filter(|piece| !piece.is_empty())
}

fn zeros(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == 0).count() as u64
}
