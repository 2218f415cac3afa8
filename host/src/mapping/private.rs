//! Which pages of a private mapping were written: each is a copy in memory that can't be evicted.
//!
//! A page counts from the write that makes the copy until the mapping is closed. The kernel keeps
//! no such number for a range, so it is kept here: a bit a page, and no bits where nothing was
//! written.

use crate::error::Error;
use crate::usage::{Reservation, Resource, Usage};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Pages whose bits stand together.
const GROUP: u64 = 4096;

type Group = Box<[u64; GROUP as usize / 64]>;

#[derive(Debug)]
pub(super) struct PrivatePages {
    groups: HashMap<u64, Group>,
    reserved: Reservation,
    /// Every page was written, as far as that is counted.
    all: bool,
}

impl PrivatePages {
    pub(super) fn none(usage: &Arc<Usage>) -> Result<PrivatePages, Error> {
        let reserved = Reservation::new(usage, Resource::PrivateBytes, 0)?;
        Ok(PrivatePages { groups: HashMap::new(), reserved, all: false })
    }

    /// All pages are copied already, and `reserved` holds what they take.
    pub(super) fn all(reserved: Reservation) -> PrivatePages {
        PrivatePages { groups: HashMap::new(), reserved, all: true }
    }

    /// Was nothing written?
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.groups.is_empty()
    }

    /// Takes what the pages of a range will use that were not written before, or says
    /// `limit-exceeded` and takes nothing. The range lies inside the mapping.
    pub(super) fn reserve(&mut self, offset: u64, length: u64) -> Result<(), Error> {
        if length == 0 || self.all {
            return Ok(());
        }
        let page = rustix::param::page_size() as u64;
        let pages = offset / page..(offset + length - 1) / page + 1;
        let new = pages.clone().filter(|page| !self.has(*page)).count() as u64;
        if new > 0 {
            self.reserved.grow(new * page)?;
            self.mark(pages);
        }
        Ok(())
    }

    fn has(&self, page: u64) -> bool {
        let bit = (page % GROUP) as usize;
        self.groups.get(&(page / GROUP)).is_some_and(|group| group[bit / 64] & 1 << (bit % 64) != 0)
    }

    fn mark(&mut self, pages: Range<u64>) {
        for page in pages {
            let group = self
                .groups
                .entry(page / GROUP)
                .or_insert_with(|| Box::new([0; GROUP as usize / 64]));
            let bit = (page % GROUP) as usize;
            group[bit / 64] |= 1 << (bit % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Limits};

    #[test]
    fn a_page_counts_once_however_often_it_is_written() {
        let page = rustix::param::page_size() as u64;
        let limits = Limits { private_bytes: 4 * page, ..Limits::default() };
        let usage = Usage::new(limits);
        let used = || usage.counters().private_bytes / page;
        let mut written = PrivatePages::none(&usage).unwrap();
        written.reserve(0, 0).unwrap();
        assert_eq!(used(), 0);
        assert!(written.is_empty());
        written.reserve(page - 1, 2).unwrap();
        assert_eq!(used(), 2);
        written.reserve(0, 2 * page).unwrap();
        assert_eq!(used(), 2);
        // Far away, in a group of its own.
        written.reserve(GROUP * page * 7 + 5, 1).unwrap();
        assert_eq!(used(), 3);
        assert_eq!(written.reserve(page, 3 * page).unwrap_err(), ErrorKind::LimitExceeded);
        assert_eq!(used(), 3, "nothing is taken of what is too much");
        assert!(!written.is_empty());
        written.reserve(2 * page, page).unwrap();
        drop(written);
        assert_eq!(used(), 0);
    }
}
