//! The host's locks.

use super::Handle;
use super::bindings::locks::iommap::mmap::locks::{self, Outcome};
use crate::lock::{LockMode, LockWait, Locked};
use crate::{Error, Range};

impl Handle {
    /// Asks for a lock, and again as long as the host says so: it counts the time.
    pub(crate) fn lock(
        &self,
        range: Range,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Locked, Error> {
        let wait = match wait {
            LockWait::No => Some(0),
            LockWait::For(time) => Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            LockWait::Forever => None,
        };
        let Range { offset, length } = range;
        loop {
            match locks::lock(&self.0, offset, length, of(mode), wait)? {
                Outcome::Locked => return Ok(Locked::Yes),
                Outcome::Busy => return Ok(Locked::Busy),
                Outcome::Deadlock => return Ok(Locked::Deadlock),
                Outcome::Again => {}
            }
        }
    }

    pub(crate) fn unlock(&self, Range { offset, length }: Range) -> Result<(), Error> {
        Ok(locks::unlock(&self.0, offset, length)?)
    }

    pub(crate) fn would_lock(&self, range: Range, mode: LockMode) -> Result<bool, Error> {
        let Range { offset, length } = range;
        Ok(locks::would_lock(&self.0, offset, length, of(mode))?)
    }
}

fn of(mode: LockMode) -> locks::LockMode {
    match mode {
        LockMode::Shared => locks::LockMode::Shared,
        LockMode::Exclusive => locks::LockMode::Exclusive,
    }
}
