//! Who is told of a failure to write pages back.
//!
//! The kernel tells of it once to each open file (its error sequence, `errseq_t`), and forgets:
//! the pages count as clean afterwards, though their bytes never arrived, and a second `fsync`
//! succeeds. Mappings that use one region have one open file between them. So what it was told is
//! remembered here, and said to each of its mappings for as long as that lasts: what was lost does
//! not come back by asking again.

use crate::error::Error;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A point in the sequence of failures: how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ErrorSeq(u64);

/// What is known of the write-backs of one open file.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    log: Mutex<Log>,
    /// One that was running has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    /// Write-backs begun so far.
    begun: u64,
    /// The numbers of those that run.
    running: Vec<u64>,
    failures: u64,
    last: Option<Error>,
}

impl Writeback {
    /// Where a mapping stands that begins now: it has missed nothing.
    pub(super) fn now(&self) -> ErrorSeq {
        ErrorSeq(self.log().failures)
    }

    /// Runs a write-back for a mapping. Many may run at once. It fails if it fails itself, and if
    /// any has failed since `seq`.
    pub(super) fn run(
        &self,
        seq: ErrorSeq,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let begun = Begun::new(self);
        let done = work();
        let mut log = begun.end(&done);
        done?;
        // One that began before this one ended may have got a failure that the kernel would have
        // told this one. It isn't in the log before it ends.
        let now = log.begun;
        while log.running.iter().any(|number| *number <= now) {
            log = self.ended.wait(log).unwrap_or_else(PoisonError::into_inner);
        }
        match &log.last {
            Some(error) if log.failures > seq.0 => {
                Err(error.clone().with_reason("an earlier write-back of this file failed"))
            }
            _ => Ok(()),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Each entry is complete when the lock is free, also after a panic.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write-back's entry in the log, which goes on every path: others may wait for it.
struct Begun<'a> {
    writeback: &'a Writeback,
    number: u64,
}

impl<'a> Begun<'a> {
    fn new(writeback: &'a Writeback) -> Begun<'a> {
        let mut log = writeback.log();
        log.begun += 1;
        let number = log.begun;
        log.running.push(number);
        Begun { writeback, number }
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

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.writeback.log().running.retain(|number| *number != self.number);
        self.writeback.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::sync::mpsc;

    const FINE: fn() -> Result<(), Error> = || Ok(());
    const FAILS: fn() -> Result<(), Error> = || Err(ErrorKind::Eio.into());

    fn failed(kind: ErrorKind) -> Result<(), Error> {
        Err(kind.into())
    }

    #[test]
    fn a_failure_is_told_to_everybody_and_again_and_again() {
        let writeback = Writeback::default();
        let (one, other) = (writeback.now(), writeback.now());
        assert_eq!(writeback.run(one, FAILS), failed(ErrorKind::Eio));
        for _ in 0..2 {
            assert_eq!(writeback.run(one, FINE), failed(ErrorKind::Eio));
            assert_eq!(writeback.run(other, FINE), failed(ErrorKind::Eio));
        }
        let full = || Err(ErrorKind::Enospc.into());
        assert_eq!(writeback.run(other, full), failed(ErrorKind::Enospc));
        assert_eq!(writeback.run(one, FINE), failed(ErrorKind::Enospc), "the last one");
    }

    #[test]
    fn a_failure_does_not_concern_a_mapping_that_comes_later() {
        let writeback = Writeback::default();
        assert_eq!(writeback.run(writeback.now(), FAILS), failed(ErrorKind::Eio));
        assert_eq!(writeback.run(writeback.now(), FINE), Ok(()));
    }

    #[test]
    fn one_that_is_still_to_fail_is_waited_for() {
        let writeback = Writeback::default();
        let (one, other) = (writeback.now(), writeback.now());
        let (go, gone) = mpsc::channel::<()>();
        let (running, runs) = mpsc::channel();
        std::thread::scope(|scope| {
            let writeback = &writeback;
            scope.spawn(move || {
                let done = writeback.run(one, || {
                    running.send(()).unwrap();
                    gone.recv().unwrap();
                    Err(ErrorKind::Eio.into())
                });
                assert_eq!(done, failed(ErrorKind::Eio));
            });
            runs.recv().unwrap();
            // The other's own is done at once; the failing one ends only after that.
            let told = writeback.run(other, || {
                go.send(()).unwrap();
                Ok(())
            });
            assert_eq!(told, failed(ErrorKind::Eio));
        });
        assert!(writeback.log().running.is_empty());
    }

    #[test]
    fn nobody_waits_for_one_that_panicked() {
        let writeback = Writeback::default();
        let now = writeback.now();
        let panics = || writeback.run(now, || std::panic::panic_any("a bug"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(writeback.run(now, FINE), Ok(()));
    }
}
