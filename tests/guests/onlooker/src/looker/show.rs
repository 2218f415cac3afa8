//! Which bytes windows show: opening, moving and closing them.

use super::Looker;
use crate::pane::Pane;
use iommap_guest::{Mapping, Window};
use std::ops::Range;

/// How often the same pages are lost again.
const AGAIN: usize = 64;

/// So often in a row they are not, and the file is another one by now: nobody cuts this one any more.
const IN_VAIN: usize = 8;

impl Looker {
    pub(super) fn open(&mut self, mapping: &Mapping, length: u64) {
        if self.panes.len() == self.job.windows as usize {
            return;
        }
        let shared = self.job.strict && self.below(3) == 0;
        let mut options = Window::options();
        options.shared(shared).populate(self.below(4) == 0);
        let range = self.range(0..length, 8);
        if let Some(window) = self.count(options.open(mapping, range)) {
            self.report.opened += 1;
            self.panes.push(Pane { window, shared, own: false, old: false });
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(pane) = self.panes.pop() {
            if self.below(2) == 0 {
                self.count(pane.window.close());
            } else {
                drop(pane);
            }
        }
    }

    /// Moves a window, to the same place now and then.
    pub(super) fn move_to(&mut self, pane: &mut Pane, mapping: &Mapping, length: u64) {
        let same = pane.start()..pane.end();
        let range = match self.below(2) {
            0 if same.end <= length => same,
            _ => {
                let start = self.range(0..length, 8).start;
                start..length.min(start + pane.window.len() as u64)
            }
        };
        self.show(pane, mapping, range);
    }

    fn show(&mut self, pane: &mut Pane, mapping: &Mapping, range: Range<u64>) -> bool {
        let moved = self.count(pane.window.move_to(mapping, range)).is_some();
        if moved {
            self.report.moved += 1;
            (pane.own, pane.old) = (false, false);
        }
        moved
    }

    /// Shows the same bytes again and again, also when the file is whole in between: it is cut anew
    /// soon. Looked at from their end they are lost page by page.
    pub(super) fn lose_more(&mut self, pane: &mut Pane, mapping: &Mapping, length: u64) {
        let same = pane.start()..pane.end();
        let pages: Vec<u64> = pane.pages().rev().collect();
        let mut in_vain = 0;
        for _ in 0..AGAIN {
            if in_vain == IN_VAIN || same.end > length || !self.show(pane, mapping, same.clone()) {
                return;
            }
            in_vain = if self.see(pane, &pages, false) { 0 } else { in_vain + 1 };
        }
    }
}
