//! All windows, for those who make and end them. What changes the table has it locked; the handler
//! never does.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::place::{File, Place};
use super::{Refused, index};

static TABLE: Mutex<Table> =
    Mutex::new(Table { there: BTreeMap::new(), free: Vec::new(), thrown_out: Vec::new() });

pub(super) struct Table {
    /// Each window's end and place, by its start.
    there: BTreeMap<usize, (usize, &'static Place)>,
    free: Vec<&'static Place>,
    /// Places and versions of windows that were thrown out and not yet removed, and what they lost.
    thrown_out: Vec<(&'static Place, u32, u32)>,
}

pub(super) fn lock() -> MutexGuard<'static, Table> {
    // Whatever a panic leaves, each place is whole, and used or free.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// Finds a place for a window; returns it and its version.
    pub(super) fn add(
        &mut self,
        range: Range<usize>,
        owner: usize,
        file: File,
    ) -> Result<(&'static Place, u32), Refused> {
        if !index::holds(&range) {
            return Err(Refused::Misplaced);
        }
        let overlapping: Vec<_> = self.overlapping(&range).collect();
        let is_owners = |place: &Place| place.owner.load(Ordering::Relaxed) == owner;
        if overlapping.iter().any(|(_, place)| is_owners(place)) {
            return Err(Refused::Overlaps);
        }
        // An owner that goes away lets go of its memory first and of its windows right after. Those
        // that were on their way have memory that has another owner already.
        for (range, place) in overlapping {
            if let Some(window) = place.read() {
                self.thrown_out.push((place, window.version, window.lost));
            }
            self.clear(&range, place);
        }
        if self.there.len() >= most() {
            return Err(Refused::TooMany);
        }
        let place = self.free.pop().unwrap_or_else(|| Box::leak(Box::default()));
        place.owner.store(owner, Ordering::Relaxed);
        let version = place.set(range.clone(), file);
        index::put(&range, place);
        self.there.insert(range.start, (range.end, place));
        Ok((place, version))
    }

    /// Ends a window, unless it was thrown out.
    pub(super) fn remove(&mut self, place: &'static Place, version: u32) {
        match place.get(version) {
            Some(window) => self.clear(&window.range, place),
            None => self.thrown_out.retain(|out| !is(out, place, version)),
        }
    }

    /// What a window had lost when it was thrown out.
    pub(super) fn lost(&self, place: &'static Place, version: u32) -> Option<u32> {
        let mut out = self.thrown_out.iter();
        out.find(|out| is(out, place, version)).map(|(_, _, lost)| *lost)
    }

    fn clear(&mut self, range: &Range<usize>, place: &'static Place) {
        index::take(range);
        place.set(0..0, File::default());
        self.there.remove(&range.start);
        self.free.push(place);
    }

    /// The windows that have a part of a range. They don't overlap each other, so from the last one
    /// that begins before its end they go back until one ends before its start.
    fn overlapping(
        &self,
        range: &Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, &'static Place)> {
        let start = range.start;
        let before = self.there.range(..range.end).rev();
        before
            .take_while(move |(_, (end, _))| *end > start)
            .map(|(start, (end, place))| (*start..*end, *place))
    }
}

fn is(out: &(&'static Place, u32, u32), place: &'static Place, version: u32) -> bool {
    std::ptr::eq(out.0, place) && out.1 == version
}

/// How many windows a process may have: see [`Refused::TooMany`].
fn most() -> usize {
    static MOST: LazyLock<usize> = LazyLock::new(|| {
        let ranges = std::fs::read_to_string("/proc/sys/vm/max_map_count");
        let ranges = ranges.ok().and_then(|ranges| ranges.trim().parse::<usize>().ok());
        ranges.unwrap_or(65_530) / 8
    });
    *MOST
}
