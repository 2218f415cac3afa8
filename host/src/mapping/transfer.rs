//! Reads and writes: checked as a whole first, then copied by the guard.

use super::region::Region;
use super::{Mapping, State};
use crate::error::Error;
use crate::limits::Account;
#[cfg(feature = "component")]
use crate::limits::Teller;

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
        self.read_with(|reading| {
            reading.check(offset, target.len() as u64)?;
            reading.read(offset, target)
        })
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
        self.write_with(|writing| writing.write_checked(offset, data))
    }

    /// Fills `target` with the bytes of every range, back to back, in order. All ranges are
    /// checked before the first byte is copied.
    ///
    /// # Errors
    ///
    /// Those of [`pread`](Mapping::pread), and [`Error::BadArg`] unless the lengths of the
    /// ranges add up to the length of `target`.
    pub fn pread_many(&self, ranges: &[Range], target: &mut [u8]) -> Result<(), Error> {
        self.read_with(|reading| {
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
        })
    }

    /// Writes consecutive pieces of `data` to the ranges, in order. All ranges are checked
    /// before the first byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`pwrite`](Mapping::pwrite), and [`Error::BadArg`] unless the lengths of the
    /// ranges add up to the length of `data`.
    pub fn pwrite_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        self.write_with(|writing| writing.write_many(ranges.iter().copied(), data))
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
        self.glance.fetch_ahead(Range { offset, length });
        self.account.check_call(length)
    }

    /// Would a `pread-many` of these ranges be allowed? Told likewise; the sum of their lengths.
    #[cfg(feature = "component")]
    pub(crate) fn may_read_many(
        &self,
        ranges: impl ExactSizeIterator<Item = Range>,
    ) -> Result<u64, Error> {
        self.may_read(0, 0)?;
        let check = |range: Range| self.glance.check(range.offset, range.length);
        check_many(&self.account, ranges, check, |range| self.glance.fetch_ahead(range))
    }

    /// Reads with the lock held, so that the mapping stays as it is: checks that it is open and
    /// may be read, and has `call` do the rest.
    #[inline]
    pub(crate) fn read_with<R>(
        &self,
        call: impl FnOnce(&mut Reading<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let state = self.read_state();
        let mut reading = Reading(Moving::new(&state, self.access.reads(), &self.account)?);
        let result = call(&mut reading);
        self.account.count_read(reading.0.bytes);
        result
    }

    /// Reads likewise a mapping that nobody else has hold of, which takes no lock.
    ///
    /// A lock costs little by itself, but it makes a processor wait: for the copy to be through,
    /// before it goes on to anything else.
    #[cfg(feature = "component")]
    #[inline]
    pub(crate) fn read_alone<R>(
        &mut self,
        teller: Option<&mut Teller>,
        call: impl FnOnce(&mut Reading<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut reading = Reading(Moving::new(state, self.access.reads(), &self.account)?);
        let result = call(&mut reading);
        let bytes = reading.0.bytes;
        match Teller::of(teller, &self.account) {
            Some(teller) => teller.count_read(bytes),
            None => self.account.count_read(bytes),
        }
        result
    }

    /// Writes with the lock held, so that nobody else reads or writes: checks that the mapping is
    /// open and may be written, and has `call` do the rest.
    #[inline]
    pub(crate) fn write_with<R>(
        &self,
        call: impl FnOnce(&mut Writing<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let state = self.write_state();
        let mut writing = Writing(Moving::new(&state, self.access.writes(), &self.account)?);
        let result = call(&mut writing);
        self.account.count_written(writing.0.bytes);
        result
    }

    /// Writes likewise to a mapping that nobody else has hold of, which takes no lock.
    #[cfg(feature = "component")]
    #[inline]
    pub(crate) fn write_alone<R>(
        &mut self,
        teller: Option<&mut Teller>,
        call: impl FnOnce(&mut Writing<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut writing = Writing(Moving::new(state, self.access.writes(), &self.account)?);
        let result = call(&mut writing);
        let bytes = writing.0.bytes;
        match Teller::of(teller, &self.account) {
            Some(teller) => teller.count_written(bytes),
            None => self.account.count_written(bytes),
        }
        result
    }

    /// Reads the pages of a range in, so that a `pread` that follows need not wait for a device.
    /// Only where it is allowed: what is not is left for that `pread` to refuse.
    #[cfg(feature = "async")]
    pub(crate) fn prepare_read(&self, offset: u64, length: u64) {
        let allowed = self.read_with(|reading| reading.check(offset, length));
        if let (Ok(()), Ok(region)) = (allowed, self.region()) {
            region.prefault(offset, length, false);
        }
    }

    /// Makes the pages of a range ready for a `pwrite` that follows, likewise.
    #[cfg(feature = "async")]
    pub(crate) fn prepare_write(&self, offset: u64, length: u64) {
        let allowed = self.write_with(|writing| writing.check(offset, length));
        if let (Ok(()), Ok(region)) = (allowed, self.region()) {
            region.prefault(offset, length, true);
        }
    }
}

/// What bytes are moved through, while the mapping can't change.
struct Moving<'a> {
    region: &'a Region,
    account: &'a Account,
    bytes: u64,
}

impl<'a> Moving<'a> {
    /// Checks that the mapping is open, and `allowed`.
    #[inline]
    fn new(
        state: &'a Option<State>,
        allowed: bool,
        account: &'a Account,
    ) -> Result<Moving<'a>, Error> {
        let region = &state.as_ref().ok_or(Error::Closed)?.region;
        if !allowed {
            return Err(Error::Acces);
        }
        Ok(Moving { region, account, bytes: 0 })
    }

    #[inline]
    fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.region.check(offset, length)?;
        self.account.check_call(length)
    }

    fn check_many(&self, ranges: impl ExactSizeIterator<Item = Range>) -> Result<u64, Error> {
        let check = |range: Range| self.region.check(range.offset, range.length).map(drop);
        check_many(self.account, ranges, check, |range| self.region.fetch_ahead(range))
    }
}

/// A mapping held open for reading. Many may be at once.
pub(crate) struct Reading<'a>(Moving<'a>);

impl Reading<'_> {
    /// Does a range lie inside, and is it within what a call may move?
    #[inline]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.0.check(offset, length)
    }

    /// Do all ranges lie inside, and all together within what a call may move? Their sum.
    fn check_many(&self, ranges: impl ExactSizeIterator<Item = Range>) -> Result<u64, Error> {
        self.0.check_many(ranges)
    }

    /// Copies out of the mapping. The range is checked against the mapping, not the limit.
    #[inline]
    pub(crate) fn read(&mut self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        self.0.region.read(offset, target)?.map_err(|_| lost(self.0.account))?;
        self.0.bytes += target.len() as u64;
        Ok(())
    }
}

/// A mapping held open for writing: one at a time.
pub(crate) struct Writing<'a>(Moving<'a>);

impl Writing<'_> {
    /// Does a range lie inside, and is it within what a call may move?
    #[cfg(feature = "component")]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.0.check(offset, length)
    }

    /// Checks a range, and copies into it.
    #[inline]
    pub(crate) fn write_checked(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.0.check(offset, data.len() as u64)?;
        self.write(offset, data)
    }

    /// Copies into the mapping. The range is checked against the mapping, not the limit.
    #[inline]
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.0.region.write(offset, data)?.map_err(|_| lost(self.0.account))?;
        self.0.bytes += data.len() as u64;
        Ok(())
    }

    /// Checks all ranges, then writes consecutive pieces of `data` to them.
    pub(crate) fn write_many(
        &mut self,
        ranges: impl ExactSizeIterator<Item = Range> + Clone,
        data: &[u8],
    ) -> Result<(), Error> {
        // A list that is too long is refused below, and not added up first.
        if check_list(self.0.account, ranges.len()).is_ok() {
            let sum = ranges.clone().try_fold(0u64, |sum, range| sum.checked_add(range.length));
            if sum != Some(data.len() as u64) {
                return Err(Error::BadArg);
            }
        }
        self.0.check_many(ranges.clone())?;
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

#[cold]
fn lost(account: &Account) -> Error {
    account.count_fault();
    Error::SigBus
}

/// Is a list of ranges short enough? A call's time is bounded by their number too.
fn check_list(account: &Account, ranges: usize) -> Result<(), Error> {
    account.check_call((ranges as u64).saturating_mul(RANGE_BYTES))
}

/// Do all ranges pass `check`, and all together what a call may move? Their sum. Those that do are
/// sent for by `fetch_ahead`.
fn check_many(
    account: &Account,
    ranges: impl ExactSizeIterator<Item = Range>,
    check: impl Fn(Range) -> Result<(), Error>,
    fetch_ahead: impl Fn(Range),
) -> Result<u64, Error> {
    let list = check_list(account, ranges.len());
    // Of a list that is too long, so many are looked at first as would have been allowed: what
    // is out of bounds is said before what is over a limit.
    let limit = account.limits().call_bytes;
    let most = (limit / RANGE_BYTES) as usize;
    let mut sum = 0u64;
    for range in ranges.take(most) {
        check(range)?;
        sum = sum.saturating_add(range.length);
        // All of them are on their way before the first is waited for; but nothing is sent for
        // that a call may not move, and would only take time.
        if sum <= limit {
            fetch_ahead(range);
        }
    }
    list?;
    account.check_call(sum)?;
    Ok(sum)
}
