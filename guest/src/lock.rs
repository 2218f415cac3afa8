//! Locks on a mapping's file, as `std::fs::File` has them, and on ranges of it.

use crate::error::Asked;
use crate::{Error, Mapping, Range};
use core::time::Duration;

/// Whom a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// Others may hold shared locks on the same bytes, and no exclusive one.
    Shared,
    /// Nobody else holds a lock on the same bytes.
    Exclusive,
}

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockWait {
    /// Not at all: it is to be had now, or not.
    No,
    /// So long at most.
    For(Duration),
    /// As long as it takes. Whoever holds it may never give it back.
    Forever,
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "it may not be locked"]
pub enum Locked {
    /// The mapping has it.
    Yes,
    /// Somebody else has what excludes it, and the time is over.
    Busy,
    /// Whoever has it waits for what this program has, be it by way of others. Give something back,
    /// and begin again. Only components on one host are found out so.
    Deadlock,
}

/// All of a file, however long it becomes.
const WHOLE: Range = Range::new(0, 0);

/// Locks are advisory: they keep out whoever asks for one, be it another component, a native program
/// with locks of `fcntl(2)` on the same bytes, or another mapping of this program's. A mapping has
/// those that were asked of it until they are given back or it is closed. A host gives none unless it
/// was told to: [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if cfg!(not(target_os = "linux")) { return Ok(()) }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("counters");
/// use iommap_guest::Mapping;
///
/// let mut options = Mapping::options();
/// options.read(true).write(true).create(true).size(4096);
/// let (one, other) = (options.open(&path)?, options.open(&path)?);
/// one.lock()?;
/// assert!(!other.try_lock_shared()?);
/// one.unlock()?;
/// assert!(other.try_lock_shared()?);
/// # Ok(())
/// # }
/// ```
impl Mapping {
    /// Locks the file for this mapping alone, and waits until it can.
    ///
    /// # Errors
    ///
    /// Those of [`lock_range`](Mapping::lock_range), and an error of kind
    /// [`Other`](crate::ErrorKind::Other) where that would be [`Locked::Deadlock`].
    pub fn lock(&self) -> Result<(), Error> {
        self.wait_for(LockMode::Exclusive)
    }

    /// Locks the file for this mapping and others that do the same, and waits until it can.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Mapping::lock).
    pub fn lock_shared(&self) -> Result<(), Error> {
        self.wait_for(LockMode::Shared)
    }

    /// Locks the file for this mapping alone, if it can at once, and tells whether it did.
    ///
    /// # Errors
    ///
    /// Those of [`lock_range`](Mapping::lock_range).
    pub fn try_lock(&self) -> Result<bool, Error> {
        self.lock_range(WHOLE, LockMode::Exclusive, LockWait::No).map(|done| done == Locked::Yes)
    }

    /// Locks the file for this mapping and others that do the same, if it can at once, and tells
    /// whether it did.
    ///
    /// # Errors
    ///
    /// Those of [`lock_range`](Mapping::lock_range).
    pub fn try_lock_shared(&self) -> Result<bool, Error> {
        self.lock_range(WHOLE, LockMode::Shared, LockWait::No).map(|done| done == Locked::Yes)
    }

    /// Gives back all that the mapping has locked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn unlock(&self) -> Result<(), Error> {
        self.unlock_range(WHOLE)
    }

    /// Locks a range of the file, which may lie behind its end; length 0 means to the end, however
    /// long the file becomes. What the mapping has already it may ask for in the other mode.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): the host has no locks, or none for this
    /// program. [`ErrorKind::Eacces`](crate::ErrorKind::Eacces): the mapping can't change the file,
    /// and is to lock it for itself, or is not for reading.
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded): more ranges than this program may
    /// lock at once. [`ErrorKind::Badarg`](crate::ErrorKind::Badarg): no file has bytes there.
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn lock_range(
        &self,
        range: impl Into<Range>,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Locked, Error> {
        let range = range.into();
        self.handle().lock(range, mode, wait).map_err(self.when(Asked::Lock(range)))
    }

    /// Gives back what the mapping has locked of a range, which may be a part of it or nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed);
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded): what is left are more ranges than
    /// this program may lock; [`ErrorKind::Badarg`](crate::ErrorKind::Badarg).
    pub fn unlock_range(&self, range: impl Into<Range>) -> Result<(), Error> {
        let range = range.into();
        self.handle().unlock(range).map_err(self.when(Asked::Unlock(range)))
    }

    /// Could a range be locked now? Nothing is, and the answer may be out of date when it comes.
    ///
    /// # Errors
    ///
    /// Those of [`lock_range`](Mapping::lock_range), but for the limit.
    pub fn would_lock(&self, range: impl Into<Range>, mode: LockMode) -> Result<bool, Error> {
        let range = range.into();
        self.handle().would_lock(range, mode).map_err(self.when(Asked::Lock(range)))
    }

    fn wait_for(&self, mode: LockMode) -> Result<(), Error> {
        match self.lock_range(WHOLE, mode, LockWait::Forever)? {
            Locked::Yes => Ok(()),
            Locked::Busy | Locked::Deadlock => {
                let words = "whoever has locked it waits for what this program has locked";
                Err(self.when(Asked::Lock(WHOLE))(Error::other(Some(words.into()))))
            }
        }
    }
}
