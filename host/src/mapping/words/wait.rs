//! Waiting on a word, and waking who does: the kernel's futexes on shared maps, which know a word by
//! its file and its place there, whoever has mapped it.
//!
//! Nothing is kept from one wait to the next, and there is no table: the kernel has those who wait in
//! the order in which they came, of this process and of all others.

use super::Need;
use crate::error::{Error, ErrorKind};
use crate::guard::atomic;
use crate::mapping::common::RegionRef;
use crate::mapping::mapped::Mapped;
use crate::mapping::platform;
use crate::usage::{Reservation, Resource};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// How long a guest waits at one stretch: so long it can't be ended.
pub(crate) const STRETCH: Duration = Duration::from_millis(50);

/// What came of waiting on a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waited {
    /// Somebody has notified. What was waited for need not have come: look again.
    Woken,
    /// The word is not what was expected.
    NotEqual,
    /// The time is over.
    TimedOut,
}

/// Somebody who is about to wait on a word, with all that they need for it: the mapping may be closed
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Has the word mapped.
    region: RegionRef,
    offset: u64,
    expected: u32,
    /// Given back with this, unless a task has it.
    #[cfg_attr(not(feature = "async"), expect(dead_code, reason = "no task takes it"))]
    pub(super) waiter: Option<Reservation>,
}

impl Mapped {
    /// Somebody who may wait on a word; or what comes of it at once.
    pub(crate) fn waiting(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<Result<Waiting, Waited>, Error> {
        let at = self.word::<u32>(offset, Need::Wait)?;
        let usage = self.usage();
        if usage.limits().waiters == 0 {
            return Err(Error::because(ErrorKind::Enotsup, "waiters is 0: nobody may wait"));
        }
        if !platform::HAS_FUTEXES {
            return Err(Error::because(ErrorKind::Enotsup, "there are no futexes on shared maps"));
        }
        let waiter = Reservation::new(usage, Resource::Waiters, 1)?;
        // SAFETY: aligned, and inside a map that is readable and lives as long as `self`.
        if self.guarded(unsafe { atomic::load(at) })? != expected {
            return Ok(Err(Waited::NotEqual));
        }
        if timeout == Some(Duration::ZERO) {
            return Ok(Err(Waited::TimedOut));
        }
        usage.note_peaks();
        usage.count_word_wait();
        let region = self.opened()?.region.share();
        Ok(Ok(Waiting { region, offset, expected, waiter: Some(waiter) }))
    }

    /// Wakes up to `count` of those who wait on a word; says how many.
    pub(crate) fn notify(&self, offset: u64, count: u32) -> Result<u32, Error> {
        let at = self.word::<u32>(offset, Need::Notify)?;
        self.told(platform::wake(at, count))
    }

    /// What a futex says of a lost page, it says as the guard does.
    pub(crate) fn told<R>(&self, done: Result<R, Errno>) -> Result<R, Error> {
        match done {
            Err(Errno::FAULT) => Err(self.lost()),
            done => Ok(done?),
        }
    }
}

impl Waiting {
    /// Has this thread wait, for as long as it takes where no time is given.
    pub(crate) fn wait_here(&self, time: Option<Duration>) -> Result<Waited, Errno> {
        let end = time.and_then(|time| Instant::now().checked_add(time));
        // It lay inside when this was made, and a region's length stays.
        let at = self.region.word(self.offset).map_err(|_| Errno::FAULT)?;
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            match platform::wait_on(at, self.expected, left) {
                Ok(()) => return Ok(Waited::Woken),
                Err(Errno::AGAIN) => return Ok(Waited::NotEqual),
                Err(Errno::TIMEDOUT) => return Ok(Waited::TimedOut),
                // Another handler's signal.
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Wakes somebody else: this one was woken in vain.
    #[cfg(feature = "async")]
    pub(super) fn pass_on(&self) {
        if let Ok(at) = self.region.word(self.offset) {
            // Where the page is gone nobody waits on it any more.
            let _ = platform::wake(at, 1);
        }
    }
}
