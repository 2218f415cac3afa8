//! `truncate`: a mapping and its file change their length together, or not at all.

use super::lease::{Lease, Manner, SharedRegion};
use super::platform;
use super::region::{Protection, Region};
use super::{Mapping, State};
use crate::error::Error;
use crate::limits::{Charge, Resource};
use std::fs::File;
use std::sync::PoisonError;

impl Mapping {
    /// Makes the file, and the mapping with it, exactly `new_size` bytes long, whatever others
    /// did to the file meanwhile (`ftruncate`). New bytes are zero and have their blocks
    /// allocated where the file system can.
    ///
    /// On any failure the old mapping keeps serving. Other mappings of the file keep the size they
    /// have, also where they used one region with this one.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`]; [`Error::Acces`] for a mapping that may not change the file: one for
    /// reading, a `private` one, or one that the embedder [shares](crate::Grants::share);
    /// [`Error::LimitExceeded`], [`Error::NoMem`], [`Error::NoSpc`],
    /// [`Error::FBig`], [`Error::Io`].
    pub fn truncate(&self, new_size: u64) -> Result<(), Error> {
        let _one_at_a_time = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, mapped, locked) = self.with_state(|state| {
            let locked = state.locked.as_ref().map(Charge::amount);
            let file = state.file.clone().filter(|_| !state.region.is_borrowed());
            (file, state.mapped.amount(), locked)
        })?;
        let file = file.ok_or(Error::Acces)?;

        let stat = file.metadata()?;
        let length = stat.len();
        if new_size > length {
            self.account.check_file(new_size)?;
        }
        // Charged beside what the old region holds, and joined to it when it is replaced.
        let extra = |resource, held: u64| {
            Charge::new(&self.account, resource, new_size.saturating_sub(held))
        };
        let mapped = extra(Resource::MappedBytes, mapped)?;
        let locked = locked.map(|held| extra(Resource::LockedBytes, held)).transpose()?;

        // The new region stands before the file changes, and before the old region goes.
        let manner = Manner {
            protection: Protection::SharedWrite,
            nocache: self.nocache,
            sharing: self.sharing && locked.is_none(),
        };
        let region = SharedRegion::again(&file, &stat, new_size, manner)?;
        if new_size > length {
            platform::grow(&file, length, new_size)?;
        }
        let replaced = prepare(&region, &file, length, new_size, locked.is_some())
            .and_then(|()| self.replace(Lease::new(region), &file, mapped, locked));
        if replaced.is_err() && new_size > length {
            shrink_back(&file, length, new_size);
        }
        // Unmapped here, where no lock but the one on resizing is held.
        replaced.map(drop)
    }

    /// Gives the file its length and the mapping its region, in one step for all who read and
    /// write through this mapping. Returns the region that served before.
    fn replace(
        &self,
        region: Lease,
        file: &File,
        mapped: Charge,
        locked: Option<Charge>,
    ) -> Result<Lease, Error> {
        let mut state = self.write_state();
        let state: &mut State = state.as_mut().ok_or(Error::Closed)?;
        let length = region.len();
        // Others may have changed the length since; and a file that shrinks does so now, so that
        // nobody reads a page through the old region that this call took away.
        platform::set_len(file, length)?;
        self.glance.replace(&region);
        let old = std::mem::replace(&mut state.region, region);
        state.mapped.join(mapped);
        state.mapped.shrink_to(length);
        if let (Some(charge), Some(locked)) = (&mut state.locked, locked) {
            charge.join(locked);
            charge.shrink_to(length);
        }
        Ok(old)
    }
}

/// Locks a new region's pages where the old one's are. Those that the file has: a file that
/// others cut has fewer, and `replace` gives it its length.
fn prepare(region: &Region, file: &File, old: u64, new: u64, lock: bool) -> Result<(), Error> {
    if !lock {
        return Ok(());
    }
    if new <= old && file.metadata()?.len() < new {
        platform::set_len(file, new)?;
    }
    region.lock()
}

/// Takes a growth back, unless somebody else has changed the length since.
pub(super) fn shrink_back(file: &File, old: u64, grown: u64) {
    if file.metadata().is_ok_and(|now| now.len() == grown) {
        // If this fails too, the file is longer than it was, with zeros: nothing is lost.
        let _ = platform::set_len(file, old);
    }
}
