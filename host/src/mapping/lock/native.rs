//! Locks for a native program, which waits where it is.

use super::{Asking, LockMode, Outcome, Step};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::mapping::Mapping;
use crate::mapping::range::Range;
use std::time::Duration;

/// Locks that keep other programs out, and other mappings of the file in this one: see
/// `wit/locks.wit`. They are those of open file descriptions (`F_OFD_SETLK`), and go when the mapping
/// is closed. Threads that use one mapping have its locks together.
///
/// They need a mapping that is for reading and writing, or one that was opened
/// [`lockable`](crate::OpenOptions::lockable).
impl Mapping {
    /// Asks for a lock on a range of the file, be it behind its end; length 0 means to the end,
    /// however long the file becomes. It waits for so long, or as long as it takes, and says whether
    /// the mapping has the lock now.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if cfg!(not(target_os = "linux")) { return Ok(()) }
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("database");
    /// use iommap::{LockMode, Mapping, Range};
    /// use std::time::Duration;
    ///
    /// let options = Mapping::options().read(true).write(true).create(true);
    /// let (one, other) = (options.open(&path)?, options.open(&path)?);
    /// let whole = Range { offset: 0, length: 0 };
    /// assert!(one.lock(whole, LockMode::Exclusive, None)?);
    /// assert!(!other.lock(whole, LockMode::Shared, Some(Duration::ZERO))?);
    /// one.close()?;
    /// assert!(other.lock(whole, LockMode::Shared, Some(Duration::ZERO))?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eacces`] for an exclusive lock by a mapping that can't
    /// change the file, and a shared one by a mapping that is not for reading;
    /// [`ErrorKind::Badarg`] for a range that ends behind 2^63 - 1; [`ErrorKind::Enotsup`] where
    /// there are none; [`ErrorKind::LimitExceeded`].
    pub fn lock(
        &self,
        range: Range,
        mode: LockMode,
        wait: Option<Duration>,
    ) -> Result<bool, Error> {
        let mut asking = Asking::new(&self.shared(), range, mode, wait, None)?;
        loop {
            // Others use the mapping while this waits.
            let step = asking.step(&mut self.exclusive())?;
            match step {
                Step::Over(outcome) => return Ok(outcome == Outcome::Locked),
                Step::Wait(until) => asking.wait_here(until),
            }
        }
    }

    /// Gives back what the mapping holds of a range, which may be a part of it or nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Badarg`]; [`ErrorKind::LimitExceeded`], if what is left is
    /// more ranges than the mapping's store may hold.
    pub fn unlock(&self, range: Range) -> Result<(), Error> {
        self.exclusive().unlock(range)
    }

    /// Could a lock be had now? Nothing is taken.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Mapping::lock), but for the limit.
    pub fn would_lock(&self, range: Range, mode: LockMode) -> Result<bool, Error> {
        self.shared().would_lock(range, mode)
    }
}
