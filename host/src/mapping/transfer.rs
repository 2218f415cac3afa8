//! Reads and writes: checked as a whole first, then copied by the guard.

use super::mapped::{Mapped, Open};
use super::range::Range;
use super::region::Lost;
use crate::error::{Error, ErrorKind};
use crate::usage::{Limits, Usage};

/// A list may have one range for each so many bytes that a call may move, and one more: to touch a
/// page takes as long as to copy one, and a call's time is bounded by the pages that it touches.
const BYTES_A_RANGE: u64 = 4096;

impl Mapped {
    /// Would a read of this range be allowed? Sends for its bytes too: they arrive while the
    /// caller finds a place for them.
    #[inline]
    pub(crate) fn check_read(&self, offset: u64, length: u64) -> Result<(), Error> {
        let open = self.readable()?;
        open.region.check(offset, length)?;
        open.region.prefetch(offset, length);
        self.usage.check_call(length)
    }

    /// Would a read of all these ranges be allowed? The sum of their lengths.
    pub(crate) fn check_read_many(
        &self,
        ranges: impl ExactSizeIterator<Item = Range>,
    ) -> Result<u64, Error> {
        check_many(self.readable()?, &self.usage, ranges)
    }

    /// Copies out of the mapping. The range is checked against the mapping, not the limit.
    #[inline]
    pub(crate) fn read(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        self.readable()?.region.read(offset, target)?.map_err(|Lost| self.lost())
    }

    /// Fills `target` with the bytes of every range, back to back. Checks all ranges first.
    pub(crate) fn read_many(&self, ranges: &[Range], target: &mut [u8]) -> Result<(), Error> {
        if self.check_read_many(ranges.iter().copied())? != target.len() as u64 {
            return Err(not_the_sum());
        }
        let mut rest = target;
        for range in ranges {
            let (piece, after) = rest.split_at_mut(range.length as usize);
            self.read(range.offset, piece)?;
            rest = after;
        }
        Ok(())
    }

    /// Would a write of this range be allowed?
    pub(crate) fn check_write(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.writable()?.region.check(offset, length)?;
        self.usage.check_call(length)
    }

    /// Would a write of all these ranges be allowed? The sum of their lengths.
    pub(crate) fn check_write_many(
        &self,
        ranges: impl ExactSizeIterator<Item = Range>,
    ) -> Result<u64, Error> {
        check_many(self.writable()?, &self.usage, ranges)
    }

    /// Checks a range, and copies into the mapping.
    #[inline]
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.check_write(offset, data.len() as u64)?;
        self.copy_in(offset, data)
    }

    /// Checks all ranges, then writes consecutive pieces of `data` to them.
    pub(crate) fn write_many(
        &mut self,
        ranges: impl ExactSizeIterator<Item = Range> + Clone,
        data: &[u8],
    ) -> Result<(), Error> {
        self.writable()?;
        // A list that is too long is refused below, and not added up first.
        if ranges.len() as u64 <= most_ranges(self.usage.limits()) {
            let sum = ranges.clone().try_fold(0u64, |sum, range| sum.checked_add(range.length));
            if sum != Some(data.len() as u64) {
                return Err(not_the_sum());
            }
        }
        self.check_write_many(ranges.clone())?;
        let mut rest = data;
        for range in ranges {
            // The sum is that of `data`, so no piece is longer than what is left.
            let (piece, after) =
                rest.split_at_checked(range.length as usize).ok_or_else(not_the_sum)?;
            self.copy_in(range.offset, piece)?;
            rest = after;
        }
        Ok(())
    }

    /// Would a read, or a write, of all these ranges be allowed?
    pub(crate) fn check_many(&self, ranges: &[Range], for_writing: bool) -> Result<u64, Error> {
        let ranges = ranges.iter().copied();
        if for_writing { self.check_write_many(ranges) } else { self.check_read_many(ranges) }
    }

    #[inline]
    fn copy_in(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or(ErrorKind::Closed)?;
        if let Some(private) = &mut open.private {
            open.region.check(offset, data.len() as u64)?;
            private.reserve(offset, data.len() as u64)?;
        }
        open.region.write(offset, data)?.map_err(|Lost| self.lost())
    }

    /// Makes the pages of a range ready for a read or a write that follows, so that it need not
    /// wait for a device. What is not allowed is left for that call to refuse.
    pub(crate) fn prefault(&self, offset: u64, length: u64, for_writing: bool) {
        if let Ok(open) = self.opened() {
            open.region.prefault(offset, length, for_writing);
        }
    }

    #[inline]
    fn readable(&self) -> Result<&Open, Error> {
        let open = self.opened()?;
        if self.access.reads() {
            Ok(open)
        } else {
            Err(Error::because(ErrorKind::Eacces, "the mapping is for writing only"))
        }
    }

    #[inline]
    fn writable(&self) -> Result<&Open, Error> {
        let open = self.opened()?;
        if self.access.writes() {
            Ok(open)
        } else {
            Err(Error::because(ErrorKind::Eacces, "the mapping is for reading only"))
        }
    }

    #[cold]
    pub(super) fn lost(&self) -> Error {
        self.usage.count_fault();
        ErrorKind::Sigbus.into()
    }
}

#[cold]
fn not_the_sum() -> Error {
    Error::because(ErrorKind::Badarg, "the lengths of the ranges don't add up to that of the data")
}

/// How many ranges a call may have at most.
pub(crate) fn most_ranges(limits: &Limits) -> u64 {
    (limits.call_bytes / BYTES_A_RANGE).saturating_add(1)
}

/// How many bytes' worth of work ranges are: a range is that of a page at least.
pub(crate) fn cost(ranges: &[Range]) -> u64 {
    ranges.iter().fold(0, |sum, range| sum.saturating_add(range.length.max(BYTES_A_RANGE)))
}

/// Do all ranges lie inside, and are they together what a call may move? The sum of their lengths.
/// Those that may be moved are sent for.
fn check_many(
    open: &Open,
    usage: &Usage,
    ranges: impl ExactSizeIterator<Item = Range>,
) -> Result<u64, Error> {
    let (limit, most) = (usage.limits().call_bytes, most_ranges(usage.limits()));
    let count = ranges.len() as u64;
    // Of a list that is too long, so many are looked at first as would have been allowed: what
    // is out of bounds is said before what is over a limit.
    let mut sum = 0u64;
    for Range { offset, length } in ranges.take(usize::try_from(most).unwrap_or(usize::MAX)) {
        open.region.check(offset, length)?;
        sum = sum.saturating_add(length);
        // All of them are on their way before the first is waited for; but nothing is sent for
        // that a call may not move, and would only take time.
        if sum <= limit {
            open.region.prefetch(offset, length);
        }
    }
    if count > most {
        let reason = format!("call-bytes is {limit}, for {most} ranges at most, asked for {count}");
        return Err(Error::because(ErrorKind::LimitExceeded, reason));
    }
    usage.check_call(sum)?;
    Ok(sum)
}
