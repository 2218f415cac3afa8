//! Who is told of a failed write back.
//!
//! The kernel tells of it once to each open file, and mappings that use one region have one open
//! file between them. So the region remembers what it was told, and tells each of its mappings.

use crate::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many failures a mapping was told of.
pub(super) type Told = Arc<AtomicU64>;

/// What a region knows of its write backs.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    log: Mutex<Log>,
    /// One that was running has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    /// Write backs begun so far.
    begun: u64,
    running: Vec<Running>,
    failures: u64,
    last: Option<Error>,
}

/// One write back that runs.
#[derive(Clone, Debug)]
struct Running {
    number: u64,
    of: Told,
}

impl Writeback {
    /// How many failures a mapping that begins now has missed nothing of.
    pub(super) fn told(&self) -> Told {
        Arc::new(self.log().failures.into())
    }

    /// Runs a write back for a mapping. Many may run at once. It fails if it fails itself, and
    /// if one for another mapping failed of which this one was not told yet.
    pub(super) fn run(
        &self,
        told: &Told,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let turn = Turn::begin(self, told);
        let done = work();
        let mut log = turn.end(&done);
        if done.is_ok() {
            // Another mapping's may have got a failure that the kernel would have told us. It
            // isn't in the log before it ends.
            let now = log.begun;
            let others = |one: &Running| one.number <= now && !Arc::ptr_eq(&one.of, told);
            while log.running.iter().any(others) {
                log = self.ended.wait(log).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let missed = told.fetch_max(log.failures, Relaxed) < log.failures;
        match &log.last {
            Some(error) if done.is_ok() && missed => Err(error.clone()),
            _ => done,
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Each entry is complete when the lock is free, also after a panic.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write back's entry in the log, which goes on every path: others may wait for it.
struct Turn<'a> {
    writeback: &'a Writeback,
    number: u64,
}

impl<'a> Turn<'a> {
    fn begin(writeback: &'a Writeback, told: &Told) -> Turn<'a> {
        let mut log = writeback.log();
        log.begun += 1;
        let number = log.begun;
        log.running.push(Running { number, of: told.clone() });
        Turn { writeback, number }
    }

    fn end(self, done: &Result<(), Error>) -> MutexGuard<'a, Log> {
        let writeback = self.writeback;
        if let Err(error) = done {
            let mut log = writeback.log();
            log.failures += 1;
            log.last = Some(error.clone());
        }
        drop(self);
        writeback.log()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.writeback.log().running.retain(|one| one.number != self.number);
        self.writeback.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const FINE: fn() -> Result<(), Error> = || Ok(());
    const FAILS: fn() -> Result<(), Error> = || Err(Error::Io);

    #[test]
    fn given_a_failure_when_others_write_back_then_each_is_told_once() {
        let writeback = Writeback::default();
        let (one, other, third) = (writeback.told(), writeback.told(), writeback.told());
        assert_eq!(writeback.run(&one, FAILS), Err(Error::Io));
        assert_eq!(writeback.run(&one, FINE), Ok(()));
        assert_eq!(writeback.run(&other, FINE), Err(Error::Io));
        assert_eq!(writeback.run(&other, FINE), Ok(()));
        // A second failure is told to those who missed the first as well, and both at once.
        assert_eq!(writeback.run(&one, || Err(Error::NoSpc)), Err(Error::NoSpc));
        assert_eq!(writeback.run(&third, FINE), Err(Error::NoSpc));
        assert_eq!(writeback.run(&third, FINE), Ok(()));
        assert_eq!(writeback.run(&other, FAILS), Err(Error::Io));
        assert_eq!(writeback.run(&other, FINE), Ok(()));
    }

    #[test]
    fn given_a_failure_when_a_mapping_comes_later_then_it_is_not_concerned() {
        let writeback = Writeback::default();
        assert_eq!(writeback.run(&writeback.told(), FAILS), Err(Error::Io));
        assert_eq!(writeback.run(&writeback.told(), FINE), Ok(()));
    }

    #[test]
    fn given_a_write_back_that_is_still_to_fail_when_another_ends_then_it_learns_of_it() {
        let writeback = Writeback::default();
        let (one, other) = (writeback.told(), writeback.told());
        let (go, gone) = mpsc::channel::<()>();
        let (running, runs) = mpsc::channel();
        std::thread::scope(|scope| {
            let writeback = &writeback;
            scope.spawn(move || {
                let failed = writeback.run(&one, || {
                    running.send(()).unwrap();
                    gone.recv().unwrap();
                    Err(Error::Io)
                });
                assert_eq!(failed, Err(Error::Io));
            });
            runs.recv().unwrap();
            // The other's own is done at once; the failing one ends only after that.
            let told = writeback.run(&other, || {
                go.send(()).unwrap();
                Ok(())
            });
            assert_eq!(told, Err(Error::Io));
        });
        assert!(writeback.log().running.is_empty());
    }

    #[test]
    fn given_two_write_backs_of_one_mapping_when_one_ends_then_it_does_not_wait_for_the_other() {
        let writeback = Writeback::default();
        let mine = writeback.told();
        let inner = || writeback.run(&mine, FINE);
        // The outer one is still running when the inner one ends.
        assert_eq!(writeback.run(&mine, inner), Ok(()));
    }

    #[test]
    fn given_a_write_back_that_panics_when_others_come_then_they_do_not_wait_for_it() {
        let writeback = Writeback::default();
        let (one, other) = (writeback.told(), writeback.told());
        let panics = || writeback.run(&one, || std::panic::panic_any("a bug"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(writeback.run(&other, FINE), Ok(()));
    }
}
