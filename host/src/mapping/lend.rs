//! A mapping that an embedder shares, opened by a guest: no file is opened and nothing is mapped.

use super::Mapping;
use super::changes::Followed;
use super::mapped::{Mapped, Open};
use super::options::{AccessMode, OpenOptions};
use super::platform;
use super::private::PrivatePages;
use crate::error::{Error, ErrorKind};
use crate::usage::{Reservation, Resource, Usage};
use std::sync::Arc;

impl Mapping {
    /// A mapping for a guest on the region that serves this one now. The guest's is called
    /// `name` in the log, counts for the guest, and ends without this one. `named` says whether the
    /// guest's path is the name that this mapping is shared under, and not one below it. The
    /// grant's permissions and the options were checked.
    pub(crate) fn lend(
        &self,
        name: &str,
        named: bool,
        options: &OpenOptions,
        access: AccessMode,
        usage: &Arc<Usage>,
        mapping: Reservation,
    ) -> Result<Mapped, Error> {
        let lender = self.shared();
        // To the guest it is a file, which is gone when the mapping is closed.
        let (Ok(open), true) = (lender.opened(), named) else {
            return Err(ErrorKind::Enoent.into());
        };
        if options.exclusive {
            return Err(ErrorKind::Eexist.into());
        }
        // Copy-on-write would take a region of its own, and for that the file.
        if options.private && access.writes() {
            return Err(Error::because(ErrorKind::Enotsup, "a shared mapping can't be private"));
        }
        let lent = lender.access();
        if (access.reads() && !lent.reads()) || (access.writes() && !lent.writes()) {
            return Err(Error::because(ErrorKind::Eacces, "more than the shared mapping allows"));
        }
        // Neither its bytes nor its length are one guest's to take from the others.
        let grows = options.size.is_some_and(|size| size > open.region.len());
        if options.truncate || grows {
            let kind = if access.writes() { ErrorKind::Eacces } else { ErrorKind::Badarg };
            return Err(Error::because(kind, "the length of a shared mapping is the host's"));
        }
        // Pages are locked for all who use them, and until the last of them goes.
        if options.lock {
            return Err(Error::because(ErrorKind::Enotsup, "a shared mapping can't be locked"));
        }
        let mapped = Reservation::new(usage, Resource::MappedBytes, open.region.len())?;
        let region = open.region.lend();
        let file = open.file.clone().filter(|_| access.writes());
        let lockable = open.lockable.as_ref().or(open.file.as_ref()).cloned();
        let lockable = lockable.filter(|_| usage.limits().locks > 0);
        let memory = open.memory.clone();
        let followed = open.known_file().ok().filter(|_| usage.limits().watches > 0).cloned();
        let kept = open.kept.clone().filter(|_| usage.limits().windows > 0);
        // What this guest writes to private pages, it uses.
        let private = match open.private {
            Some(_) if access.writes() => Some(PrivatePages::none(usage)?),
            _ => None,
        };
        drop(lender);
        // Asks the file's system, which may never answer: whoever else has the mapping goes on.
        let followed =
            followed.map(|file| Followed::new(file, Some(*options)).map(Box::new)).transpose()?;
        let own_locks = lockable.as_deref().is_none_or(platform::has_own_locks);
        if options.populate {
            region.prefault(0, region.len(), false);
        }
        usage.count_open();
        Ok(Mapped {
            name: name.into(),
            access,
            usage: usage.clone(),
            open: Some(Open {
                region,
                file,
                kept,
                lockable,
                own_locks,
                locks: None,
                kept_wait: None,
                entry: None,
                memory,
                followed,
                private,
                nocache: false,
                common: false,
                mapped,
                locked: None,
                _mapping: mapping,
            }),
        })
    }
}
