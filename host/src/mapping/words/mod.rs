//! Words of a mapping that are read and changed at once, and waited on.
//!
//! | file | what is in it |
//! |---|---|
//! | `wait` | waiting on a word, and waking who does |
//! | `park` | threads that wait for tasks |
//! | `native` | the same for a native program |
//!
//! What touches a word is the guard's: a page that is gone is an error, and nothing was changed.

mod native;
#[cfg(feature = "async")]
mod park;
mod wait;

pub use wait::Waited;
pub(crate) use wait::{STRETCH, Waiting};

use super::mapped::{Mapped, Open};
use super::region::Region;
use crate::error::{Error, ErrorKind};
use crate::guard::atomic::{self, Word};

/// What is done to a word by a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The value is added, wrapping around.
    Add,
    /// Bits stay that the value has set.
    And,
    /// Bits are set that the value has set.
    Or,
    /// Bits are turned over that the value has set.
    Xor,
    /// The word becomes the value.
    Exchange,
}

/// What a mapping has to allow.
#[derive(Clone, Copy)]
enum Need {
    Load,
    Store,
    Change,
    Wait,
    Notify,
}

impl Mapped {
    /// Reads a word.
    #[inline]
    pub(crate) fn load<W: Word>(&self, offset: u64) -> Result<W, Error> {
        let at = self.word::<W>(offset, Need::Load)?;
        // SAFETY: `Region::word` found it aligned and inside the map, which is readable and lives as
        // long as `self`; and the guard is installed, as there is a map.
        self.guarded(unsafe { atomic::load(at) })
    }

    /// Writes a word.
    #[inline]
    pub(crate) fn store<W: Word>(&self, offset: u64, value: W) -> Result<(), Error> {
        let at = self.word::<W>(offset, Need::Store)?;
        // SAFETY: as for `load`; and the map is writable, since the mapping writes.
        self.guarded(unsafe { atomic::store(at, value) })
    }

    /// Changes a word; says what it was.
    #[inline]
    pub(crate) fn change<W: Word>(
        &self,
        offset: u64,
        change: Change,
        value: W,
    ) -> Result<W, Error> {
        let at = self.word::<W>(offset, Need::Change)?;
        // SAFETY: as for `store`, each of them.
        self.guarded(unsafe {
            match change {
                Change::Add => atomic::fetch_add(at, value),
                Change::And => atomic::fetch_and(at, value),
                Change::Or => atomic::fetch_or(at, value),
                Change::Xor => atomic::fetch_xor(at, value),
                Change::Exchange => atomic::swap(at, value),
            }
        })
    }

    /// Writes `new` if the word is `current`; says what it was, `Ok` if that was `current`.
    #[inline]
    pub(crate) fn compare_exchange<W: Word>(
        &self,
        offset: u64,
        current: W,
        new: W,
    ) -> Result<Result<W, W>, Error> {
        let at = self.word::<W>(offset, Need::Change)?;
        // SAFETY: as for `store`.
        self.guarded(unsafe { atomic::compare_exchange(at, current, new) })
    }

    /// Where a word is, if the mapping allows what is needed.
    #[inline]
    fn word<W: Word>(&self, offset: u64, need: Need) -> Result<*mut W, Error> {
        let open = self.opened()?;
        if !self.allows(open, need) {
            return Err(Error::because(ErrorKind::Eacces, "the mapping does not allow as much"));
        }
        let at = open.region.word(offset)?;
        if !atomic::SUPPORTED || cfg!(target_endian = "big") {
            let reason = "no words are guarded on this processor";
            return Err(Error::because(ErrorKind::Enotsup, reason));
        }
        Ok(at)
    }

    #[inline]
    fn allows(&self, open: &Open, need: Need) -> bool {
        let (reads, writes) = (self.access.reads(), self.access.writes());
        let shared = !open.region.protection().is_private();
        match need {
            Need::Load => reads,
            Need::Store | Need::Notify => writes && shared,
            Need::Change => reads && writes && shared,
            Need::Wait => reads && shared,
        }
    }

    #[inline]
    fn guarded<R>(&self, done: Result<R, atomic::Error>) -> Result<R, Error> {
        done.map_err(|error| match error {
            atomic::Error::Lost(_) => self.lost(),
            _ => ErrorKind::Enotsup.into(),
        })
    }
}

impl Region {
    /// Where a word is, for as long as the region lives: aligned, and with all of its bytes inside.
    #[inline]
    fn word<W: Word>(&self, offset: u64) -> Result<*mut W, Error> {
        if !offset.is_multiple_of(size_of::<W>() as u64) {
            return Err(Error::because(
                ErrorKind::Badarg,
                "a word begins at a multiple of its size",
            ));
        }
        Ok(self.at(offset, size_of::<W>() as u64)?.cast())
    }
}
