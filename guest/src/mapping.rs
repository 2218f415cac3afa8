//! A mapped file, as a guest uses it.

use crate::path::GuestPath;
use crate::{Error, ErrorCode, OpenOptions, sys};
use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;
use core::ops;

/// A file mapped into the host's memory. Dropping it closes it.
///
/// Offsets and lengths are in bytes, and 64 bits wide: a guest reads from files far larger than
/// its own memory.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, b"head, body and tail")?;
/// use iommap_guest::Mapping;
///
/// let index = Mapping::open(&path)?;
/// let mut tail = [0; 4];
/// index.read_exact_at(index.len()? - 4, &mut tail)?;
/// assert_eq!(&tail, b"tail");
/// # Ok(())
/// # }
/// ```
pub struct Mapping {
    handle: sys::Handle,
}

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
    fn end(self) -> u64 {
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

/// Whether [`Mapping::sync_with`] waits for the device.
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

/// Up to so many bytes are allocated for before it is known that the range lies inside.
const UNCHECKED: u64 = 64 << 10;

impl Mapping {
    /// Options for opening a file, all of them off at first.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`].
    pub fn open(path: impl GuestPath) -> Result<Mapping, Error> {
        Mapping::options().read(true).open(path)
    }

    /// Takes over a handle to a mapping that is open.
    pub(crate) fn from_handle(handle: sys::Handle) -> Mapping {
        Mapping { handle }
    }

    /// The size of the mapping: the file's length when it was opened or
    /// [`set_len`](Mapping::set_len) last, and not what others may have given it since. One call
    /// into the host.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Closed`].
    pub fn len(&self) -> Result<u64, Error> {
        self.handle.position()
    }

    /// Is the size of the mapping 0?
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Closed`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.len().map(|len| len == 0)
    }

    /// Reads into `buf` from `offset` on, and returns how many bytes: as many as `buf` has, or as
    /// there are up to the end of the mapping, and 0 behind it.
    ///
    /// In a component, the host writes into `buf` itself: nothing is allocated and nothing is
    /// copied twice. What `buf` holds after an error is unspecified.
    ///
    /// More bytes than the host moves in one call are read in several.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Eacces`]: the mapping is not for reading. [`ErrorCode::Sigbus`]: the file no
    /// longer backs a page of the range. [`ErrorCode::Closed`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        match self.fill(offset, as_uninit(buf)) {
            Ok(()) => Ok(buf.len()),
            Err(error) if error.is(&ErrorCode::OutOfBounds) => {
                let left = self.len()?.saturating_sub(offset);
                let n = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
                self.read_exact_at(offset.min(u64::MAX - left), &mut buf[..n])?;
                Ok(n)
            }
            Err(error) => Err(error),
        }
    }

    /// Fills `buf` from `offset` on.
    ///
    /// In a component, the host writes into `buf` itself: nothing is allocated and nothing is
    /// copied twice. What `buf` holds after an error is unspecified.
    ///
    /// More bytes than the host moves in one call are read in several.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::OutOfBounds`]: there is less than that up to the end of the mapping.
    /// [`ErrorCode::Eacces`], [`ErrorCode::Sigbus`], [`ErrorCode::Closed`] as for
    /// [`read_at`](Mapping::read_at).
    pub fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.fill(offset, as_uninit(buf))
    }

    /// Reads `length` bytes from `offset` on into a new vector.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Mapping::read_exact_at); [`ErrorCode::Enomem`]: the guest has no
    /// memory for so many.
    pub fn read_to_vec(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let range = Range { offset, length };
        self.vec(range.end(), length, |buf| self.fill(offset, buf))
    }

    /// Reads many ranges in one call and returns their bytes back to back, in order. The ranges
    /// may overlap, and may be empty. All of them are checked before the first byte is read.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"head, body and tail")?;
    /// # let index = iommap_guest::Mapping::open(&path)?;
    /// let bytes = index.read_many(&[(0..4).into(), (15..19).into()])?;
    /// assert_eq!(bytes, b"headtail");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`read_to_vec`](Mapping::read_to_vec), for any of the ranges;
    /// [`ErrorCode::LimitExceeded`]: all of them together are more than the host moves in one
    /// call, at 16 bytes a range for the list.
    pub fn read_many(&self, ranges: &[Range]) -> Result<Vec<u8>, Error> {
        let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.length));
        let end = ranges.iter().map(|range| range.end()).max().unwrap_or(0);
        self.vec(end, total, |buf| self.handle.read_many(ranges, buf))
    }

    /// Reads many ranges in one call into `buf`, back to back, in order: what
    /// [`read_many`](Mapping::read_many) does, without an allocation. What `buf` holds after an
    /// error is unspecified.
    ///
    /// # Errors
    ///
    /// Those of [`read_many`](Mapping::read_many); [`ErrorCode::Badarg`]: the lengths of the
    /// ranges don't add up to that of `buf`.
    pub fn read_many_into(&self, ranges: &[Range], buf: &mut [u8]) -> Result<(), Error> {
        let total = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
        if total != Some(buf.len() as u64) {
            return Err(ErrorCode::Badarg.into());
        }
        self.handle.read_many(ranges, as_uninit(buf))
    }

    /// Writes all of `data` from `offset` on. The mapping never grows by it:
    /// [`set_len`](Mapping::set_len) does that.
    ///
    /// More bytes than the host moves in one call are written in several.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Eacces`]: the mapping is not for writing. [`ErrorCode::OutOfBounds`]: the range
    /// ends beyond the mapping; nothing was written. [`ErrorCode::Sigbus`]: the file no longer
    /// backs a page of the range, or the disk is full; a part may have been written.
    /// [`ErrorCode::Closed`].
    pub fn write_all_at(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        in_pieces(offset, data.len(), |offset, piece| self.handle.write(offset, &data[piece]))
    }

    /// Writes consecutive pieces of `data` to many ranges, in order, in one call: where ranges
    /// overlap, the last one counts. All of them are checked before the first byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`write_all_at`](Mapping::write_all_at), for any of the ranges;
    /// [`ErrorCode::Badarg`]: the lengths of the ranges don't add up to that of `data`;
    /// [`ErrorCode::LimitExceeded`]: all of them together are more than the host moves in one
    /// call, at 16 bytes a range for the list.
    pub fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        self.handle.write_many(ranges, data)
    }

    /// Writes all that was changed through the mapping back to the device, and waits for it
    /// (`msync`).
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Closed`]; [`ErrorCode::Eio`], [`ErrorCode::Enospc`]: the device or the file
    /// system could not take the bytes.
    pub fn sync(&self) -> Result<(), Error> {
        self.sync_with(SyncMode::Sync)
    }

    /// [`sync`](Mapping::sync), waiting or not.
    ///
    /// # Errors
    ///
    /// Those of [`sync`](Mapping::sync).
    pub fn sync_with(&self, mode: SyncMode) -> Result<(), Error> {
        self.handle.sync(mode)
    }

    /// Writes a range back to the device, and waits for it. The host rounds it out to whole pages.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::OutOfBounds`]: the range ends beyond the mapping; and those of
    /// [`sync`](Mapping::sync).
    pub fn sync_range(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.sync_range_with(offset, length, SyncMode::Sync)
    }

    /// [`sync_range`](Mapping::sync_range), waiting or not.
    ///
    /// # Errors
    ///
    /// Those of [`sync_range`](Mapping::sync_range).
    pub fn sync_range_with(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        self.handle.sync_range(offset, length, mode)
    }

    /// Makes the file exactly `len` bytes long, and the mapping with it (`ftruncate`). New bytes
    /// are zero. After an error the mapping is as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Eacces`]: the mapping is not for writing, or private.
    /// [`ErrorCode::LimitExceeded`], [`ErrorCode::Enomem`], [`ErrorCode::Enospc`],
    /// [`ErrorCode::Efbig`]: the file or the mapping can't get that long. [`ErrorCode::Closed`].
    pub fn set_len(&self, len: u64) -> Result<(), Error> {
        self.handle.truncate(len)
    }

    /// Says what access to expect of a range (`madvise`). The host rounds it out to whole pages;
    /// length 0 means to the end of the mapping. Nothing is ever lost by it.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::OutOfBounds`]: the range ends beyond the mapping. [`ErrorCode::Closed`].
    pub fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        self.handle.advise(offset, length, advice)
    }

    /// Closes the mapping: what dropping it does, and tells of errors. What was written may not
    /// have reached the device: [`sync`](Mapping::sync) first to be sure.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Closed`].
    pub fn close(self) -> Result<(), Error> {
        self.handle.close()
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn fill(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        in_pieces(offset, buf.len(), |offset, piece| self.handle.read(offset, &mut buf[piece]))
    }

    /// A vector of this many bytes that `fill` fills. The bytes come from in front of `end`.
    fn vec(
        &self,
        end: u64,
        length: u64,
        fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        if length > UNCHECKED {
            // Nothing is where the mapping ends, but whoever may read up to there may read that.
            self.handle.read(end, &mut [])?;
        }
        let mut bytes = Vec::new();
        read_onto(&mut bytes, length, fill)?;
        Ok(bytes)
    }
}

/// Appends `length` bytes that `fill` fills.
pub(crate) fn read_onto(
    bytes: &mut Vec<u8>,
    length: u64,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<(), Error>,
) -> Result<(), Error> {
    let no_memory = || Error::from(ErrorCode::Enomem);
    let length = usize::try_from(length).map_err(|_| no_memory())?;
    bytes.try_reserve(length).map_err(|_| no_memory())?;
    fill(&mut bytes.spare_capacity_mut()[..length])?;
    // SAFETY: there is room for so many, and `sys` has filled all of it.
    unsafe { bytes.set_len(bytes.len() + length) };
    Ok(())
}

/// Bytes that may be written to. `sys` writes nothing but bytes.
fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the same bytes with the same alignment. That nothing uninitialised is written
    // through it is kept by `sys`, which either fills it or leaves initialised bytes.
    unsafe { &mut *(bytes as *mut [u8] as *mut [MaybeUninit<u8>]) }
}

/// Moves `length` bytes by `call`, in one piece or in as many as the host's limit asks for.
///
/// The first call is for all of them. So whatever else is wrong is said before anything moves,
/// the host checking for it before it looks at the limit.
fn in_pieces(
    offset: u64,
    length: usize,
    mut call: impl FnMut(u64, ops::Range<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut done, mut most) = (0usize, length);
    loop {
        let end = length.min(done.saturating_add(most));
        match call(offset.saturating_add(done as u64), done..end) {
            Ok(()) if end == length => return Ok(()),
            Ok(()) => done = end,
            Err(error) if most > 1 && error.is(&ErrorCode::LimitExceeded) => {
                most = most.div_ceil(2)
            }
            Err(error) => return Err(error),
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").finish_non_exhaustive()
    }
}
