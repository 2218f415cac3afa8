//! A mapping that an embedder shares, opened by a guest: no file is opened and nothing is mapped.

use super::glance::Glance;
use super::options::{AccessMode, OpenOptions};
use super::{Mapping, State};
use crate::error::Error;
use crate::limits::{Account, Charge, Resource};
use std::sync::{Arc, Mutex, RwLock};

impl Mapping {
    /// A mapping for a guest on the region that serves this one now. The guest's is charged to the
    /// guest, and ends without this one. `named` says whether the guest's path is the name that
    /// this mapping is shared under, and not one below it. The grant's permissions were checked.
    pub(super) fn lend(
        &self,
        named: bool,
        options: &OpenOptions,
        account: &Arc<Account>,
        slot: Charge,
    ) -> Result<Mapping, Error> {
        // To the guest it is a file, which is gone when the mapping is closed.
        let (region, file) = self
            .with_state(|state| (state.region.lend(), state.file.clone()))
            .ok()
            .filter(|_| named)
            .ok_or(Error::NoEnt)?;
        if options.exclusive {
            return Err(Error::Exist);
        }
        let access = options.access;
        // Copy-on-write would take a region of its own, and for that the file.
        if options.private && access.writes() {
            return Err(Error::NotSup);
        }
        let allowed =
            (!access.reads() || self.access.reads()) && (!access.writes() || self.access.writes());
        if !allowed {
            return Err(Error::Acces);
        }
        // Neither its bytes nor its length are one guest's to take from the others.
        let grows = options.size.is_some_and(|size| size > region.len());
        if options.truncate || grows {
            return Err(if access == AccessMode::Read { Error::BadArg } else { Error::Acces });
        }
        // Pages are locked for all who use them, and until the last of them goes.
        if options.lock {
            return Err(Error::NotSup);
        }
        let mapped = Charge::new(account, Resource::MappedBytes, region.len())?;
        if options.populate {
            region.populate();
        }
        account.count_open();
        let file = file.filter(|_| access.writes());
        Ok(Mapping {
            access,
            account: account.clone(),
            nocache: false,
            sharing: false,
            glance: Glance::new(&region),
            state: RwLock::new(Some(State { region, file, mapped, locked: None, _slot: slot })),
            resizing: Mutex::new(()),
        })
    }
}
