//! The host's words.

use super::Handle;
use super::bindings::atomics::iommap::mmap::atomics::{self, Outcome};
use crate::Error;
use crate::atomics::{Change, Waited, Word};
use core::time::Duration;

macro_rules! word {
    ($word:ty: $load:ident, $store:ident, $change:ident, $compare:ident) => {
        impl Word for $word {
            fn load(handle: &Handle, offset: u64) -> Result<Self, Error> {
                Ok(atomics::$load(&handle.0, offset)?)
            }

            fn store(handle: &Handle, offset: u64, value: Self) -> Result<(), Error> {
                Ok(atomics::$store(&handle.0, offset, value)?)
            }

            fn change(
                handle: &Handle,
                offset: u64,
                change: Change,
                value: Self,
            ) -> Result<Self, Error> {
                Ok(atomics::$change(&handle.0, offset, of(change), value)?)
            }

            fn compare_exchange(
                handle: &Handle,
                offset: u64,
                current: Self,
                new: Self,
            ) -> Result<Self, Error> {
                Ok(atomics::$compare(&handle.0, offset, current, new)?)
            }
        }
    };
}

word!(u32: load_u32, store_u32, change_u32, compare_exchange_u32);
word!(u64: load_u64, store_u64, change_u64, compare_exchange_u64);

impl Handle {
    /// Waits, and again as long as the host says so.
    pub(crate) fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<Waited, Error> {
        let mut timeout = timeout.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        loop {
            match atomics::wait(&self.0, offset, expected, timeout)? {
                Outcome::Woken => return Ok(Waited::Woken),
                Outcome::NotEqual => return Ok(Waited::NotEqual),
                Outcome::TimedOut => return Ok(Waited::TimedOut),
                Outcome::Again(left) => timeout = left,
            }
        }
    }

    pub(crate) fn notify(&self, offset: u64, count: u32) -> Result<u32, Error> {
        Ok(atomics::notify(&self.0, offset, count)?)
    }
}

fn of(change: Change) -> atomics::Change {
    match change {
        Change::Add => atomics::Change::Add,
        Change::And => atomics::Change::And,
        Change::Or => atomics::Change::Or,
        Change::Xor => atomics::Change::Xor,
        Change::Exchange => atomics::Change::Exchange,
    }
}
