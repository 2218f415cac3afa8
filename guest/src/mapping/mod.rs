//! A mapped file, as a guest uses it.

mod numbers;
mod pieces;
mod range;
mod reading;

#[cfg(feature = "changes")]
pub(crate) use pieces::as_uninit;
#[cfg(any(feature = "std", feature = "windows"))]
pub(crate) use pieces::read_onto;
pub use range::{Advice, Range, SyncMode};

#[cfg(doc)]
use crate::ErrorKind;
use crate::error::Asked;
use crate::path::GuestPath;
use crate::{Error, OpenOptions, sys};
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
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
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("path", &self.path).finish_non_exhaustive()
    }
}
