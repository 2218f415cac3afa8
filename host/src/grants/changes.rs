//! What has become of a file that was opened by a path: the path is looked up anew, in the grants.

use super::{Grants, Place};
use crate::error::{Error, ErrorKind};
use crate::mapping::{AtPath, Changed, FileState, Mapped, Mapping, Next, WaitForChange, at_path};
use std::time::Duration;

/// Of mappings that these grants have opened, for a store that has
/// [watches](crate::Limits::watches): see `wit/changes.wit`.
impl Grants {
    /// What has become of a mapping's file since it was mapped. Its path is looked up again as
    /// [`open`](Grants::open) does it; what lies outside of the grant is not there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Enotsup`]: the mapping has not kept its file;
    /// [`ErrorKind::Emfile`], [`ErrorKind::Eio`].
    pub fn changed(&self, mapping: &Mapping) -> Result<FileState, Error> {
        self.state(&mapping.shared())
    }

    /// Maps what a mapping's path names now, with the same mode and options, but for those that
    /// make, empty or lengthen a file. The mapping itself is not touched.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Grants::open); [`ErrorKind::Closed`]; [`ErrorKind::Enotsup`]: the mapping
    /// was not opened by a path, or its store has no watches.
    pub fn remap(&self, mapping: &Mapping) -> Result<Mapping, Error> {
        let mapped = mapping.shared();
        let options = mapped.again()?;
        let (usage, path) = (mapped.usage().clone(), mapped.name().to_owned());
        drop(mapped);
        self.open(&usage, &path, &options)
    }

    /// Waits until [`changed`](Grants::changed) says something else than what is `known`, or until
    /// the time is over, and then returns `None`.
    ///
    /// # Errors
    ///
    /// Those of `changed`; [`ErrorKind::LimitExceeded`]: more wait at once than may.
    pub fn wait_for_change(
        &self,
        mapping: &Mapping,
        known: &FileState,
        wait: Option<Duration>,
    ) -> Result<Option<FileState>, Error> {
        let mut waiting = WaitForChange::new(*known, wait, false);
        loop {
            let next = {
                let mapped = mapping.shared();
                waiting.step(&mapped, self.state(&mapped)?)?
            };
            match next {
                Next::Over(Changed::Is(state)) => return Ok(Some(state)),
                Next::Over(Changed::Not | Changed::Again(_)) => return Ok(None),
                Next::Wait(until) => waiting.wait_here(until),
            }
        }
    }

    pub(crate) fn state(&self, mapped: &Mapped) -> Result<FileState, Error> {
        mapped.state(|| self.at_path(mapped))
    }

    fn at_path(&self, mapped: &Mapped) -> Result<AtPath, Error> {
        let path = mapped.name();
        match self.resolve(path) {
            Err(error) if error == ErrorKind::Eacces => Ok(AtPath::Nothing),
            Err(error) => Err(error),
            Ok((grant, rest)) => match &grant.place {
                Place::Dir(dir) => at_path(dir, rest),
                Place::Mapping(lender) if grant.name.is(path) => Ok(mapped.is_lent_by(lender)),
                Place::Mapping(_) => Ok(AtPath::Nothing),
                Place::Memory(memory) => memory.at_path(rest),
            },
        }
    }
}
