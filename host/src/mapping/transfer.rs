//! Reads and writes: checked as a whole first, then copied by the guard.

use super::{Mapping, State};
use crate::error::Error;
use crate::limits::Account;
use std::sync::{RwLockReadGuard, RwLockWriteGuard};

/// `length` bytes from `offset` on.
///
/// ```
/// let header = iommap::Range { offset: 0, length: 16 };
/// assert_eq!(format!("{header:?}"), "Range { offset: 0, length: 16 }");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where the range starts, in bytes from the start of the mapping.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// The length in bytes of one range in a guest's memory, and what it counts for against
/// [`Limits::call_bytes`](crate::Limits::call_bytes) in a list.
const RANGE_BYTES: u64 = 16;

impl Mapping {
    /// Fills `target` from `offset` on (`pread`): all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Acces`] for a mapping that is not for reading,
    /// [`Error::OutOfBounds`], [`Error::LimitExceeded`], [`Error::SigBus`]; after the last,
    /// what `target` holds is unspecified.
    pub fn pread(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        let mut reading = self.reading()?;
        reading.check(offset, target.len() as u64)?;
        reading.read(offset, target)
    }

    /// Writes `data` from `offset` on (`pwrite`): all of it or nothing, but for a fault. The
    /// mapping does not grow.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Acces`] for a mapping that is not for writing,
    /// [`Error::OutOfBounds`], [`Error::LimitExceeded`], [`Error::SigBus`]; before the last, a
    /// part may have been written.
    pub fn pwrite(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut writing = self.writing()?;
        writing.check(offset, data.len() as u64)?;
        writing.write(offset, data)
    }

    /// Fills `target` with the bytes of every range, back to back, in order. All ranges are
    /// checked before the first byte is copied.
    ///
    /// # Errors
    ///
    /// Those of [`pread`](Mapping::pread), and [`Error::BadArg`] unless the lengths of the
    /// ranges add up to the length of `target`.
    pub fn pread_many(&self, ranges: &[Range], target: &mut [u8]) -> Result<(), Error> {
        let mut reading = self.reading()?;
        let total = reading.check_many(ranges.iter().copied())?;
        if total != target.len() as u64 {
            return Err(Error::BadArg);
        }
        let mut rest = target;
        for range in ranges {
            let (piece, after) = rest.split_at_mut(range.length as usize);
            reading.read(range.offset, piece)?;
            rest = after;
        }
        Ok(())
    }

    /// Writes consecutive pieces of `data` to the ranges, in order. All ranges are checked
    /// before the first byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`pwrite`](Mapping::pwrite), and [`Error::BadArg`] unless the lengths of the
    /// ranges add up to the length of `data`.
    pub fn pwrite_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        self.writing()?.write_many(ranges.iter().copied(), data)
    }

    /// Would a `pread` of this range be allowed? Told by a glance: for a call that has more to do
    /// before it reads, and then checks again.
    #[cfg(feature = "component")]
    #[inline]
    pub(crate) fn may_read(&self, offset: u64, length: u64) -> Result<(), Error> {
        if self.glance.is_closed() {
            return Err(Error::Closed);
        }
        if !self.access.reads() {
            return Err(Error::Acces);
        }
        self.glance.check(offset, length)?;
        self.account.check_call(length)
    }

    /// Starts reading: checks that the mapping is open and may be read, and keeps it so.
    #[inline]
    pub(crate) fn reading(&self) -> Result<Reading<'_>, Error> {
        let state = self.read_state();
        if state.is_none() {
            return Err(Error::Closed);
        }
        if !self.access.reads() {
            return Err(Error::Acces);
        }
        Ok(Reading { state, account: &self.account, bytes: 0 })
    }

    /// Starts writing: checks that the mapping is open and may be written, and keeps others out.
    pub(crate) fn writing(&self) -> Result<Writing<'_>, Error> {
        let state = self.write_state();
        if state.is_none() {
            return Err(Error::Closed);
        }
        if !self.access.writes() {
            return Err(Error::Acces);
        }
        Ok(Writing { state, account: &self.account, bytes: 0 })
    }

    /// Reads the pages of a range in, so that a `pread` that follows need not wait for a device.
    /// Only where it is allowed: what is not is left for that `pread` to refuse.
    #[cfg(feature = "async")]
    pub(crate) fn prepare_read(&self, offset: u64, length: u64) {
        let allowed = self.reading().and_then(|reading| reading.check(offset, length));
        if let (Ok(()), Ok(region)) = (allowed, self.region()) {
            region.prefault(offset, length, false);
        }
    }

    /// Makes the pages of a range ready for a `pwrite` that follows, likewise.
    #[cfg(feature = "async")]
    pub(crate) fn prepare_write(&self, offset: u64, length: u64) {
        let allowed = self.writing().and_then(|writing| writing.check(offset, length));
        if let (Ok(()), Ok(region)) = (allowed, self.region()) {
            region.prefault(offset, length, true);
        }
    }
}

/// A mapping held open for reading. Many may be at once.
pub(crate) struct Reading<'a> {
    state: RwLockReadGuard<'a, Option<State>>,
    account: &'a Account,
    bytes: u64,
}

impl Reading<'_> {
    /// Does a range lie inside, and is it within what a call may move?
    #[inline]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        open(&self.state)?.region.check(offset, length)?;
        self.account.check_call(length)
    }

    /// Do all ranges lie inside, and all together within what a call may move? Their sum.
    pub(crate) fn check_many(
        &self,
        ranges: impl ExactSizeIterator<Item = Range>,
    ) -> Result<u64, Error> {
        check_many(&self.state, self.account, ranges)
    }

    /// Copies out of the mapping. The range is checked against the mapping, not the limit.
    #[inline]
    pub(crate) fn read(&mut self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        open(&self.state)?.region.read(offset, target)?.map_err(|_| lost(self.account))?;
        self.bytes += target.len() as u64;
        Ok(())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.count_read(self.bytes);
        }
    }
}

/// A mapping held open for writing: one at a time.
pub(crate) struct Writing<'a> {
    state: RwLockWriteGuard<'a, Option<State>>,
    account: &'a Account,
    bytes: u64,
}

impl Writing<'_> {
    /// Does a range lie inside, and is it within what a call may move?
    #[inline]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        open(&self.state)?.region.check(offset, length)?;
        self.account.check_call(length)
    }

    /// Copies into the mapping. The range is checked against the mapping, not the limit.
    #[inline]
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        open(&self.state)?.region.write(offset, data)?.map_err(|_| lost(self.account))?;
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Checks all ranges, then writes consecutive pieces of `data` to them.
    pub(crate) fn write_many(
        &mut self,
        ranges: impl ExactSizeIterator<Item = Range> + Clone,
        data: &[u8],
    ) -> Result<(), Error> {
        // A list that is too long is refused below, and not added up first.
        if check_list(self.account, ranges.len()).is_ok() {
            let sum = ranges.clone().try_fold(0u64, |sum, range| sum.checked_add(range.length));
            if sum != Some(data.len() as u64) {
                return Err(Error::BadArg);
            }
        }
        check_many(&self.state, self.account, ranges.clone())?;
        let mut rest = data;
        for range in ranges {
            // The sum is that of `data`, so no piece is longer than what is left.
            let (piece, after) =
                rest.split_at_checked(range.length as usize).ok_or(Error::BadArg)?;
            self.write(range.offset, piece)?;
            rest = after;
        }
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.count_written(self.bytes);
        }
    }
}

#[inline]
fn open(state: &Option<State>) -> Result<&State, Error> {
    state.as_ref().ok_or(Error::Closed)
}

#[cold]
fn lost(account: &Account) -> Error {
    account.count_fault();
    Error::SigBus
}

/// Is a list of ranges short enough? A call's time is bounded by their number too.
fn check_list(account: &Account, ranges: usize) -> Result<(), Error> {
    account.check_call((ranges as u64).saturating_mul(RANGE_BYTES))
}

fn check_many(
    state: &Option<State>,
    account: &Account,
    ranges: impl ExactSizeIterator<Item = Range>,
) -> Result<u64, Error> {
    let region = &open(state)?.region;
    let list = check_list(account, ranges.len());
    // Of a list that is too long, so many are looked at first as would have been allowed: what
    // is out of bounds is said before what is over a limit.
    let most = (account.limits().call_bytes / RANGE_BYTES) as usize;
    let mut sum = 0u64;
    for range in ranges.take(most) {
        region.check(range.offset, range.length)?;
        // All of them are on their way before the first is waited for.
        region.fetch_ahead(range);
        sum = sum.saturating_add(range.length);
    }
    list?;
    account.check_call(sum)?;
    Ok(sum)
}
