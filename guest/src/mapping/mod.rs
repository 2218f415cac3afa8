//! A mapped file, as a guest uses it.

mod numbers;
mod pieces;
mod range;

#[cfg(feature = "changes")]
pub(crate) use pieces::as_uninit;
pub(crate) use pieces::read_onto;
pub use range::{Advice, Range, SyncMode};

use crate::error::Asked;
use crate::path::GuestPath;
use crate::{Error, ErrorKind, OpenOptions, sys};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
#[cfg(not(feature = "changes"))]
use pieces::as_uninit;
use pieces::in_pieces;

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
/// assert_eq!(&index.read_array::<4>(0)?, b"head");
/// let mut tail = [0; 8];
/// assert_eq!(index.read_at(15, &mut tail)?, 4);
/// assert_eq!(&tail[..4], b"tail");
/// # Ok(())
/// # }
/// ```
pub struct Mapping {
    handle: sys::Handle,
    /// How it was opened, for the words of errors.
    path: Option<Arc<str>>,
    /// How long it was when it was last asked, or [`UNKNOWN`].
    len: AtomicU64,
}

/// No mapping is as long.
const UNKNOWN: u64 = u64::MAX;

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
    pub(crate) fn from_handle(handle: sys::Handle, path: Option<&str>) -> Mapping {
        Mapping { handle, path: path.map(Arc::from), len: AtomicU64::new(UNKNOWN) }
    }

    /// Takes over a handle that the program has to a `mapping` of `iommap:mmap/types`, by its
    /// number: for a program that has one from bindings of its own, such as one that was passed to
    /// a function that it exports. Only in components.
    ///
    /// # Safety
    ///
    /// The program owns the handle, and nothing else uses it or drops it from now on.
    #[cfg(target_arch = "wasm32")]
    pub unsafe fn from_raw_handle(handle: u32) -> Mapping {
        // SAFETY: the caller's.
        Mapping::from_handle(unsafe { sys::Handle::from_number(handle) }, None)
    }

    /// The number of the handle, for bindings of the program's own. It is the caller's from now
    /// on, and dropped by nobody else. Only in components.
    #[cfg(target_arch = "wasm32")]
    pub fn into_raw_handle(self) -> u32 {
        self.handle.into_number()
    }

    /// The size of the mapping: the file's length when it was opened or
    /// [`set_len`](Mapping::set_len) last, and not what others may have given it since. One call
    /// into the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`].
    pub fn len(&self) -> Result<u64, Error> {
        let len = self.handle.position().map_err(self.when(Asked::Len))?;
        self.len.store(len, Relaxed);
        Ok(len)
    }

    /// The length, without a call into the host if it was asked for before. Nobody but the holder
    /// of this handle makes a file's mapping longer or shorter; one that the host shares may have
    /// become so.
    pub(crate) fn known_len(&self) -> Result<u64, Error> {
        match self.len.load(Relaxed) {
            UNKNOWN => self.len(),
            len => Ok(len),
        }
    }

    /// Is the size of the mapping 0?
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.len().map(|len| len == 0)
    }

    /// Reads into `buf` from `offset` on, and returns how many bytes: as many as `buf` has, or as
    /// there are up to the end of the mapping, and 0 behind it.
    ///
    /// In a component, the host writes into `buf` itself: nothing is allocated and nothing is
    /// copied twice. What `buf` holds after an error is unspecified.
    ///
    /// More bytes than the host moves in one call are read in several. Where the mapping ends is
    /// known beforehand, so that the host has nothing to refuse there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Eacces`]: the mapping is not for reading. [`ErrorKind::Sigbus`]: the file no
    /// longer backs a page of the range. [`ErrorKind::Closed`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let mut len = self.known_len()?;
        if left(len, offset) < buf.len() {
            len = self.len()?;
        }
        loop {
            let n = buf.len().min(left(len, offset));
            // Also if it is nothing: who may not read is told so, whatever there is to be read.
            match self.read_exact_at(offset.min(len), &mut buf[..n]) {
                Err(error) if error == ErrorKind::OutOfBounds && self.len()? < len => {
                    len = self.known_len()?;
                }
                done => return done.map(|()| n),
            }
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
    /// [`ErrorKind::OutOfBounds`]: there is less than that up to the end of the mapping.
    /// [`ErrorKind::Eacces`], [`ErrorKind::Sigbus`], [`ErrorKind::Closed`] as for
    /// [`read_at`](Mapping::read_at).
    #[inline]
    pub fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.fill(offset, as_uninit(buf))
    }

    /// Reads `length` bytes from `offset` on into a new vector.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Mapping::read_exact_at); [`ErrorKind::Enomem`]: the guest has no
    /// memory for so many.
    pub fn read_to_vec(&self, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let range = Range { offset, length };
        self.vec(range.end(), length, |buf| self.fill(offset, buf))
            .map_err(self.when(Asked::Read { offset, length }))
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
    /// [`ErrorKind::LimitExceeded`]: all of them together are more than the host moves in one
    /// call, at 16 bytes a range for the list.
    pub fn read_many(&self, ranges: &[Range]) -> Result<Vec<u8>, Error> {
        let total = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.length));
        let end = ranges.iter().map(|range| range.end()).max().unwrap_or(0);
        self.vec(end, total, |buf| self.handle.read_many(ranges, buf))
            .map_err(self.when(Asked::ReadMany { ranges: ranges.len(), length: total }))
    }

    /// Reads many ranges in one call into `buf`, back to back, in order: what
    /// [`read_many`](Mapping::read_many) does, without an allocation. What `buf` holds after an
    /// error is unspecified.
    ///
    /// # Errors
    ///
    /// Those of [`read_many`](Mapping::read_many); [`ErrorKind::Badarg`]: the lengths of the
    /// ranges don't add up to that of `buf`.
    pub fn read_many_into(&self, ranges: &[Range], buf: &mut [u8]) -> Result<(), Error> {
        let total = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
        let asked = Asked::ReadMany { ranges: ranges.len(), length: buf.len() as u64 };
        if total != Some(buf.len() as u64) {
            return Err(self.when(asked)(ErrorKind::Badarg.into()));
        }
        self.handle.read_many(ranges, as_uninit(buf)).map_err(self.when(asked))
    }

    /// Writes all of `data` from `offset` on. The mapping never grows by it:
    /// [`set_len`](Mapping::set_len) does that.
    ///
    /// More bytes than the host moves in one call are written in several.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Eacces`]: the mapping is not for writing. [`ErrorKind::OutOfBounds`]: the range
    /// ends beyond the mapping; nothing was written. [`ErrorKind::Sigbus`]: the file no longer
    /// backs a page of the range, or the disk is full; a part may have been written.
    /// [`ErrorKind::Closed`].
    pub fn write_all_at(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        in_pieces(offset, data.len(), |offset, piece| self.handle.write(offset, &data[piece]))
            .map_err(self.when(Asked::Write { offset, length: data.len() as u64 }))
    }

    /// Writes consecutive pieces of `data` to many ranges, in order, in one call: where ranges
    /// overlap, the last one counts. All of them are checked before the first byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`write_all_at`](Mapping::write_all_at), for any of the ranges;
    /// [`ErrorKind::Badarg`]: the lengths of the ranges don't add up to that of `data`;
    /// [`ErrorKind::LimitExceeded`]: all of them together are more than the host moves in one
    /// call, at 16 bytes a range for the list.
    pub fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        let asked = Asked::WriteMany { ranges: ranges.len(), length: data.len() as u64 };
        self.handle.write_many(ranges, data).map_err(self.when(asked))
    }

    /// Writes all that was changed through the mapping back to the device, and waits for it
    /// (`msync`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eio`], [`ErrorKind::Enospc`]: the device or the file
    /// system could not take the bytes; [`ErrorKind::Sigbus`]: the file was cut short, and what was
    /// written to a private mapping may be lost.
    pub fn sync(&self) -> Result<(), Error> {
        self.sync_with(SyncMode::Sync)
    }

    /// [`sync`](Mapping::sync), waiting or not.
    ///
    /// # Errors
    ///
    /// Those of [`sync`](Mapping::sync).
    pub fn sync_with(&self, mode: SyncMode) -> Result<(), Error> {
        self.handle.sync(mode).map_err(self.when(Asked::Sync))
    }

    /// Writes a range back to the device, and waits for it. The host rounds it out to whole pages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`]: the range ends beyond the mapping; and those of
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
        self.handle.sync_range(offset, length, mode).map_err(self.when(Asked::Sync))
    }

    /// Makes the file exactly `len` bytes long, and the mapping with it (`ftruncate`). New bytes
    /// are zero. After an error the mapping is as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Eacces`]: the mapping is not for writing, or private.
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::Enomem`], [`ErrorKind::Enospc`],
    /// [`ErrorKind::Efbig`]: the file or the mapping can't get that long. [`ErrorKind::Closed`].
    pub fn set_len(&self, len: u64) -> Result<(), Error> {
        self.handle.truncate(len).map_err(self.when(Asked::SetLen(len)))?;
        self.len.store(len, Relaxed);
        Ok(())
    }

    /// Says what access to expect of a range (`madvise`). The host rounds it out to whole pages;
    /// length 0 means to the end of the mapping. Nothing is ever lost by it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`]: the range ends beyond the mapping. [`ErrorKind::Closed`].
    pub fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        self.handle.advise(offset, length, advice).map_err(self.when(Asked::Advise))
    }

    /// Closes the mapping: what dropping it does, and tells of errors. What was written may not
    /// have reached the device: [`sync`](Mapping::sync) first to be sure.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`].
    pub fn close(self) -> Result<(), Error> {
        self.handle.close().map_err(self.when(Asked::Close))
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn fill(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        let length = buf.len() as u64;
        in_pieces(offset, buf.len(), |offset, piece| self.handle.read(offset, &mut buf[piece]))
            .map_err(self.when(Asked::Read { offset, length }))
    }

    /// The same, where the file has to reach to the end.
    #[cfg(feature = "changes")]
    pub(crate) fn strictly(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        in_pieces(offset, buf.len(), |offset, piece| {
            self.handle.read_strict(offset, &mut buf[piece])
        })
    }

    /// What is at an offset, as much as fits or is there: for a reader, who asks again.
    #[cfg(feature = "std")]
    pub(crate) fn read_some(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        #[cfg(feature = "changes")]
        return self.read_up_to(offset, buf);
        #[cfg(not(feature = "changes"))]
        self.read_at(offset, buf)
    }

    /// Another handle to what has the same path.
    #[cfg(feature = "changes")]
    pub(crate) fn again(&self, handle: sys::Handle) -> Mapping {
        Mapping { handle, path: self.path.clone(), len: AtomicU64::new(UNKNOWN) }
    }

    #[cfg(any(
        feature = "atomics",
        feature = "changes",
        feature = "locks",
        feature = "storage",
        feature = "windows"
    ))]
    pub(crate) fn handle(&self) -> &sys::Handle {
        &self.handle
    }

    /// How it was opened.
    #[cfg(feature = "windows")]
    pub(crate) fn path(&self) -> Option<&Arc<str>> {
        self.path.as_ref()
    }

    /// Gives an error its words.
    pub(crate) fn when(&self, asked: Asked) -> impl FnOnce(Error) -> Error {
        move |error| error.when(asked, self.path.as_ref())
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

/// How many bytes there are from `offset` on, as far as a buffer may be as large.
fn left(len: u64, offset: u64) -> usize {
    usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX)
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("path", &self.path).finish_non_exhaustive()
    }
}
