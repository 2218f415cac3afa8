//! One region for many mappings.
//!
//! Mappings of one file, from whatever stores, use one [`SharedRegion`]: one range of address
//! space, whose pages are read in once. Each holds it by a [`Lease`]. What is a mapping's own
//! stays its own: its length, its mode, its account, its end. What belongs to the region as a
//! whole is never one mapping's to change for the others: see [`SharedRegion::advise`].

use super::options::{Advice, SyncMode};
use super::region::{Protection, Region};
use super::registry::{self, Key};
use super::writeback::{Told, Writeback};
use crate::error::Error;
use std::fs::{File, Metadata};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A region, and what is known of the mappings that use it: many, or only one.
#[derive(Debug)]
pub(super) struct SharedRegion {
    region: Region,
    /// Where others find it, if they may.
    key: Option<Key>,
    users: Mutex<Users>,
    writeback: Writeback,
}

#[derive(Debug, Default)]
struct Users {
    mappings: usize,
    /// A hint that lasts was given while there was one mapping only.
    hinted: bool,
}

/// How a region is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) protection: Protection,
    pub(super) nocache: bool,
    /// May other mappings use it too?
    pub(super) sharing: bool,
}

impl Manner {
    fn key(self, stat: &Metadata, length: u64) -> Option<Key> {
        self.sharing.then(|| Key::new(stat, length, self.protection, self.nocache))?
    }

    fn map(self, file: &File, length: u64) -> Result<Region, Error> {
        let region = Region::new(file, length, self.protection)?;
        if self.nocache {
            region.nocache(file);
        }
        Ok(region)
    }
}

impl SharedRegion {
    pub(super) fn new(region: Region, key: Option<Key>) -> SharedRegion {
        SharedRegion { region, key, users: Mutex::default(), writeback: Writeback::default() }
    }

    /// The region over the first `length` bytes of a file that was just opened: one that is in use
    /// already, or else a new one. `stat` is the file's.
    pub(super) fn of(
        file: &File,
        stat: &Metadata,
        length: u64,
        manner: Manner,
    ) -> Result<Arc<SharedRegion>, Error> {
        let Some(key) = manner.key(stat, length) else {
            return Ok(Arc::new(SharedRegion::new(manner.map(file, length)?, None)));
        };
        match registry::find(&key) {
            Some(found) => Ok(found),
            None => Ok(registry::publish(key, manner.map(file, length)?)),
        }
    }

    /// A new region for a mapping that has one already. Others may use it too, but it takes
    /// nobody else's: the kernel has yet to tell this file's descriptor of write backs that failed.
    pub(super) fn again(
        file: &File,
        stat: &Metadata,
        length: u64,
        manner: Manner,
    ) -> Result<Arc<SharedRegion>, Error> {
        let region = manner.map(file, length)?;
        Ok(match manner.key(stat, length) {
            Some(key) => registry::publish_if_first(key, region),
            None => Arc::new(SharedRegion::new(region, None)),
        })
    }

    /// Gives a hint for a mapping. `willneed` does good to all who use the region; any other
    /// hint would be felt by them, and is not applied while there are others.
    pub(super) fn advise(
        &self,
        borrowed: bool,
        offset: u64,
        length: u64,
        advice: Advice,
    ) -> Result<(), Error> {
        self.region.check(offset, length)?;
        if advice == Advice::WillNeed {
            return self.region.advise(offset, length, advice);
        }
        if borrowed {
            return Ok(());
        }
        if self.key.is_none() {
            return self.region.advise(offset, length, advice);
        }
        // Whoever comes now waits until it is done, and then undoes it.
        let mut users = self.users();
        if users.mappings > 1 {
            return Ok(());
        }
        users.hinted |= matches!(advice, Advice::Random | Advice::Sequential);
        self.region.advise(offset, length, advice)
    }

    /// Runs what writes pages back for a mapping, and tells it of failures that others met.
    pub(super) fn write_back(
        &self,
        told: &Told,
        mode: SyncMode,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        match (self.region.protection(), mode) {
            (Protection::SharedWrite, SyncMode::Sync) => self.writeback.run(told, work),
            // Nothing is waited for that could fail.
            _ => work(),
        }
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        // Counts are right whenever the lock is free, also after a panic.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for SharedRegion {
    type Target = Region;

    #[inline]
    fn deref(&self) -> &Region {
        &self.region
    }
}

impl Drop for SharedRegion {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            registry::withdraw(key, self);
        }
    }
}

/// A mapping's hold on its region.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<SharedRegion>,
    told: Told,
    borrowed: bool,
}

impl Lease {
    /// A mapping's own hold on a region that it opened.
    pub(super) fn new(shared: Arc<SharedRegion>) -> Lease {
        Lease::hold(shared, false)
    }

    /// A hold on the same region for a guest, whose embedder shares this mapping with it.
    pub(super) fn lend(&self) -> Lease {
        Lease::hold(self.shared.clone(), true)
    }

    fn hold(shared: Arc<SharedRegion>, borrowed: bool) -> Lease {
        let mut users = shared.users();
        users.mappings += 1;
        if users.mappings > 1 && std::mem::take(&mut users.hinted) {
            // One guest's pattern is not another's. A failure leaves a hint too many.
            let _ = shared.region.advise(0, 0, Advice::Normal);
        }
        drop(users);
        let told = shared.writeback.told();
        Lease { shared, told, borrowed }
    }

    /// The region, for work that takes long.
    pub(super) fn region(&self) -> Arc<SharedRegion> {
        self.shared.clone()
    }

    /// What this mapping was told of failed write backs.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Is it the embedder's mapping, and only lent to this one?
    pub(super) fn is_borrowed(&self) -> bool {
        self.borrowed
    }
}

impl Deref for Lease {
    type Target = Region;

    #[inline]
    fn deref(&self) -> &Region {
        &self.shared.region
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.users().mappings -= 1;
    }
}
