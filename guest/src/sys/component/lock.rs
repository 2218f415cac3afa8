//! The host's locks.

use super::bindings::locks::{self, Outcome};
use super::{Handle, reply};
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
        let (has_wait, wait) = match wait {
            LockWait::No => (true, 0),
            LockWait::For(time) => (true, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            LockWait::Forever => (false, 0),
        };
        let Range { offset, length } = range;
        let mode = of(mode);
        loop {
            let call =
                |reply: &mut _| locks::lock(self.0, offset, length, mode, has_wait, wait, reply);
            match reply::of(call)? {
                Outcome::Locked => return Ok(Locked::Yes),
                Outcome::Busy => return Ok(Locked::Busy),
                Outcome::Deadlock => return Ok(Locked::Deadlock),
                Outcome::Again => {}
            }
        }
    }

    pub(crate) fn unlock(&self, Range { offset, length }: Range) -> Result<(), Error> {
        Ok(reply::of(|reply| locks::unlock(self.0, offset, length, reply))?)
    }

    pub(crate) fn would_lock(&self, range: Range, mode: LockMode) -> Result<bool, Error> {
        let Range { offset, length } = range;
        Ok(reply::of(|reply| locks::would_lock(self.0, offset, length, of(mode), reply))?)
    }
}

fn of(mode: LockMode) -> locks::LockMode {
    match mode {
        LockMode::Shared => locks::LockMode::Shared,
        LockMode::Exclusive => locks::LockMode::Exclusive,
    }
}
