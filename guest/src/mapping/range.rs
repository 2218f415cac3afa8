//! What calls are told: a range, whether to wait, what access to expect.

use core::ops;

/// `length` bytes from `offset` on.
///
/// ```
/// use iommap_guest::Range;
/// assert_eq!(Range::from(10..14), Range { offset: 10, length: 4 });
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// In bytes from the start of the mapping.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

impl Range {
    /// `length` bytes from `offset` on.
    pub const fn new(offset: u64, length: u64) -> Range {
        Range { offset, length }
    }

    /// Where it ends, as far as that is a number.
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// From the first to the second: nothing if it ends before it starts.
impl From<ops::Range<u64>> for Range {
    fn from(range: ops::Range<u64>) -> Range {
        Range { offset: range.start, length: range.end.saturating_sub(range.start) }
    }
}

/// An offset and a length.
impl From<(u64, u64)> for Range {
    fn from((offset, length): (u64, u64)) -> Range {
        Range { offset, length }
    }
}

/// Whether [`Mapping::sync_with`](crate::Mapping::sync_with) waits for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncMode {
    /// Return when the device has the bytes (`MS_SYNC`).
    Sync,
    /// Ask for the transfer and return (`MS_ASYNC`). Errors of the device are met by a later
    /// [`SyncMode::Sync`].
    Async,
}

/// The access pattern to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// None in particular.
    Normal,
    /// Here and there: reading ahead is of no use.
    Random,
    /// From front to back.
    Sequential,
    /// Soon needed: start to read it in. A small range is read in before the call returns.
    WillNeed,
    /// Not needed for now. Nothing is lost by it.
    DontNeed,
}
