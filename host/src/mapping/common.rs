//! One region for many mappings.
//!
//! Mappings of one file, from whatever stores, use one [`CommonRegion`]: one range of address
//! space, whose pages are read in once. Each holds it by a [`RegionRef`]. What is a mapping's own
//! stays its own: its length, its mode, its usage, its end. What would be felt by all who use the
//! region is never one mapping's to do: whoever gives a hint that lasts gets a region of its own.

use super::options::{Advice, SyncMode};
use super::pages::Protection;
use super::region::Region;
use super::registry::{self, CommonRegion, Key};
use super::writeback::ErrorSeq;
use crate::error::Error;
use crate::usage::{Reservation, Resource, Usage};
use std::fs::{File, Metadata};
use std::ops::Deref;
use std::sync::Arc;

/// How many hints that last a mapping may give for parts of it: each may cut its region into two
/// more ranges of address space, of which the kernel gives a process only so many.
const PARTS: u64 = 16;

/// How a region is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionSpec {
    pub(super) protection: Protection,
    pub(super) nocache: bool,
    /// May other mappings use it too?
    pub(super) common: bool,
}

impl RegionSpec {
    fn key(self, file: &File, stat: &Metadata, length: u64) -> Option<Key> {
        self.common.then(|| Key::new(file, stat, length, self.protection, self.nocache))?
    }

    fn map(self, file: &File, length: u64, usage: &Arc<Usage>) -> Result<Region, Error> {
        let region = Region::new(file, length, self.protection, usage)?;
        if self.nocache {
            region.nocache(file);
        }
        Ok(region)
    }
}

/// A mapping's reference to its region.
#[derive(Debug)]
pub(super) struct RegionRef {
    common: Arc<CommonRegion>,
    /// Up to where this mapping has missed no failure to write back.
    seq: ErrorSeq,
    /// It is the embedder's mapping that has the region, and it is only lent to this one.
    borrowed: bool,
    /// The ranges of address space that hints for parts of the region may take, two a part.
    parts: Option<Reservation>,
}

impl RegionRef {
    /// The region over the first `length` bytes of a file that was just opened: one that is in use
    /// already, or else a new one. `stat` is the file's.
    pub(super) fn of(
        file: &File,
        stat: &Metadata,
        length: u64,
        spec: RegionSpec,
        usage: &Arc<Usage>,
    ) -> Result<RegionRef, Error> {
        let key = spec.key(file, stat, length);
        let found = key.as_ref().and_then(registry::find);
        let common = match (found, key) {
            (Some(found), _) => found,
            (None, Some(key)) => registry::publish(key, spec.map(file, length, usage)?),
            (None, None) => Arc::new(CommonRegion::new(spec.map(file, length, usage)?)),
        };
        Ok(RegionRef::to(common, false))
    }

    /// A new region for a mapping that has one already. Others may use it too, but it takes
    /// nobody else's: the kernel has yet to tell this file's descriptor of failures to write back.
    pub(super) fn resized(
        &self,
        file: &File,
        stat: &Metadata,
        length: u64,
        spec: RegionSpec,
        usage: &Arc<Usage>,
    ) -> Result<RegionRef, Error> {
        let region = spec.map(file, length, usage)?;
        let writeback = self.common.writeback.clone();
        let common = match spec.key(file, stat, length) {
            Some(key) => registry::publish_if_first(key, region, writeback),
            None => Arc::new(CommonRegion::with(region, writeback)),
        };
        Ok(RegionRef { common, seq: self.seq, borrowed: false, parts: None })
    }

    /// A reference to the same region for a guest, whose embedder shares this mapping with it.
    pub(super) fn lend(&self) -> RegionRef {
        RegionRef::to(self.common.clone(), true)
    }

    fn to(common: Arc<CommonRegion>, borrowed: bool) -> RegionRef {
        let seq = common.writeback.now();
        RegionRef { common, seq, borrowed, parts: None }
    }

    /// The same region, for work that goes on without the mapping.
    pub(super) fn share(&self) -> RegionRef {
        let (seq, borrowed) = (self.seq, self.borrowed);
        RegionRef { common: self.common.clone(), seq, borrowed, parts: None }
    }

    /// Are both references to one region?
    pub(super) fn is(&self, other: &RegionRef) -> bool {
        Arc::ptr_eq(&self.common, &other.common)
    }

    /// Is it the embedder's mapping that has the region, and only lent to this one?
    pub(super) fn is_borrowed(&self) -> bool {
        self.borrowed
    }

    /// Gives a hint for a mapping. `willneed` does good to all who use the region. Of any other
    /// hint they feel nothing: the mapping gets a region of its own first, and where the system
    /// can't make one without the file, the hint is not applied. Nor is one for a borrowed region,
    /// or for more [parts](PARTS) than there should be.
    pub(super) fn advise(
        &mut self,
        offset: u64,
        length: u64,
        advice: Advice,
        usage: &Arc<Usage>,
    ) -> Result<(), Error> {
        self.check(offset, length)?;
        if advice == Advice::WillNeed {
            return self.common.region.advise(offset, length, advice);
        }
        if self.borrowed {
            return Ok(());
        }
        if advice == Advice::DontNeed {
            // Who else uses the pages has them back at the next touch; but other stores would feel
            // it. Those whom an embedder lends its region to feel all of its hints.
            let alone = self.common.key.is_none() || Arc::strong_count(&self.common) == 1;
            return if alone { self.common.region.advise(offset, length, advice) } else { Ok(()) };
        }
        if !self.make_own(usage)? {
            return Ok(());
        }
        let whole = offset == 0 && (length == 0 || length == self.len());
        if !whole && !self.reserve_part(usage)? {
            return Ok(());
        }
        self.common.region.advise(offset, length, advice)?;
        if whole {
            self.parts = None;
        }
        Ok(())
    }

    /// Sees to it that the region is this mapping's, and that of those whom it is lent to. Says
    /// whether it is.
    fn make_own(&mut self, usage: &Arc<Usage>) -> Result<bool, Error> {
        // While it has a key, others may find it at any moment.
        if self.common.key.is_some() {
            let Some(region) = self.common.region.again(usage)? else { return Ok(false) };
            let writeback = self.common.writeback.clone();
            self.common = Arc::new(CommonRegion::with(region, writeback));
        }
        Ok(true)
    }

    /// Takes the ranges that a hint for one more part may need. Says whether it may be given.
    fn reserve_part(&mut self, usage: &Arc<Usage>) -> Result<bool, Error> {
        match &mut self.parts {
            Some(parts) if parts.amount() >= 2 * PARTS => return Ok(false),
            Some(parts) => parts.grow(2)?,
            None => self.parts = Some(Reservation::new(usage, Resource::Ranges, 2)?),
        }
        Ok(true)
    }

    /// Runs what writes pages back for a mapping, and tells it of failures that others met.
    pub(super) fn write_back(
        &self,
        mode: SyncMode,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        match (self.protection(), mode) {
            (Protection::SharedWrite, SyncMode::Sync) => self.common.writeback.run(self.seq, work),
            // Nothing is waited for that could fail.
            _ => work(),
        }
    }
}

impl Deref for RegionRef {
    type Target = Region;

    #[inline]
    fn deref(&self) -> &Region {
        &self.common.region
    }
}
