//! Words for a native program.

use super::{Change, Waited};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::guard::atomic::Word;
use crate::mapping::Mapping;
use std::time::Duration;

/// Words, `u32` or `u64`, that are read and changed at once: see `wit/atomics.wit`. They agree with the
/// atomics of whoever else has the file mapped, and are sequentially consistent. An offset is a
/// multiple of the word's size.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if !iommap::guard::atomic::SUPPORTED { return Ok(()) }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("counters");
/// use iommap::{Change, Mapping};
///
/// let options = Mapping::options().read(true).write(true).create(true).size(4096);
/// let (one, other) = (options.open(&path)?, options.open(&path)?);
/// one.store(8, 40_u64)?;
/// assert_eq!(other.change(8, Change::Add, 2_u64)?, 40);
/// assert_eq!(one.compare_exchange(8, 42_u64, 0)?, Ok(42));
/// # Ok(())
/// # }
/// ```
impl Mapping {
    /// Reads a word.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eacces`] for a mapping that is not for reading;
    /// [`ErrorKind::Badarg`] for an offset that is not a multiple of the word's size;
    /// [`ErrorKind::OutOfBounds`]; [`ErrorKind::Enotsup`] on a processor other than x86-64 and aarch64;
    /// [`ErrorKind::Sigbus`].
    pub fn load<W: Word>(&self, offset: u64) -> Result<W, Error> {
        self.shared().load(offset)
    }

    /// Writes a word.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Mapping::load), [`ErrorKind::Eacces`] for a mapping whose writes don't reach
    /// the file.
    pub fn store<W: Word>(&self, offset: u64, value: W) -> Result<(), Error> {
        self.shared().store(offset, value)
    }

    /// Changes a word, and says what it was.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Mapping::store), [`ErrorKind::Eacces`] also for a mapping that is not for
    /// reading.
    pub fn change<W: Word>(&self, offset: u64, change: Change, value: W) -> Result<W, Error> {
        self.shared().change(offset, change, value)
    }

    /// Writes `new` if the word is `current`; says in the inner result what it was, `Ok` if that was
    /// `current`.
    ///
    /// # Errors
    ///
    /// Those of [`change`](Mapping::change).
    pub fn compare_exchange<W: Word>(
        &self,
        offset: u64,
        current: W,
        new: W,
    ) -> Result<Result<W, W>, Error> {
        self.shared().compare_exchange(offset, current, new)
    }

    /// Has this thread wait on a word for as long as it is `expected`, until somebody notifies, here
    /// or in another process (`FUTEX_WAIT`); `timeout` says how long at most. To close the mapping
    /// wakes nobody.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Mapping::load), [`ErrorKind::Eacces`] for a private mapping;
    /// [`ErrorKind::Enotsup`] where the system has no futexes on shared maps;
    /// [`ErrorKind::LimitExceeded`].
    pub fn wait(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<Waited, Error> {
        let waiting = self.shared().waiting(offset, expected, timeout)?;
        // Others use the mapping while this waits.
        match waiting.map(|waiting| waiting.wait_here(timeout)) {
            Ok(done) => self.shared().told(done),
            Err(waited) => Ok(waited),
        }
    }

    /// Wakes up to `count` of those who wait on a word, in whatever process (`FUTEX_WAKE`), and says
    /// how many. The system wakes those first who came first, and a guest comes anew many times a
    /// second.
    ///
    /// # Errors
    ///
    /// Those of [`store`](Mapping::store), and [`ErrorKind::Enotsup`] as for [`wait`](Mapping::wait).
    pub fn notify(&self, offset: u64, count: u32) -> Result<u32, Error> {
        self.shared().notify(offset, count)
    }
}
