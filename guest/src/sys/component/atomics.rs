//! The host's words.

use super::bindings::atomics::{self, Outcome};
use super::{Handle, reply};
use crate::Error;
use crate::atomics::{Change, Waited, Word};
use core::time::Duration;

macro_rules! word {
    ($word:ty: $load:ident, $store:ident, $change:ident, $compare:ident) => {
        impl Word for $word {
            fn load(handle: &Handle, offset: u64) -> Result<Self, Error> {
                Ok(reply::of(|reply| atomics::$load(handle.0, offset, reply))?)
            }

            fn store(handle: &Handle, offset: u64, value: Self) -> Result<(), Error> {
                Ok(reply::of(|reply| atomics::$store(handle.0, offset, value, reply))?)
            }

            fn change(
                handle: &Handle,
                offset: u64,
                change: Change,
                value: Self,
            ) -> Result<Self, Error> {
                let change = of(change);
                Ok(reply::of(|reply| atomics::$change(handle.0, offset, change, value, reply))?)
            }

            fn compare_exchange(
                handle: &Handle,
                offset: u64,
                current: Self,
                new: Self,
            ) -> Result<Self, Error> {
                Ok(reply::of(|reply| atomics::$compare(handle.0, offset, current, new, reply))?)
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
            let (limited, nanos) = (timeout.is_some(), timeout.unwrap_or_default());
            let call =
                |reply: &mut _| atomics::wait(self.0, offset, expected, limited, nanos, reply);
            match reply::of(call)? {
                Outcome::Woken => return Ok(Waited::Woken),
                Outcome::NotEqual => return Ok(Waited::NotEqual),
                Outcome::TimedOut => return Ok(Waited::TimedOut),
                Outcome::Again(left) => timeout = left.into(),
            }
        }
    }

    pub(crate) fn notify(&self, offset: u64, count: u32) -> Result<u32, Error> {
        Ok(reply::of(|reply| atomics::notify(self.0, offset, count, reply))?)
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
