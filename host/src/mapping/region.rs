//! One range of address space over a file: the only place that holds a pointer to mapped bytes.
//!
//! Another process may change or cut the file at any time, so mapped bytes are never borrowed:
//! no slice over them is formed, and they are touched by the guard's copy alone. Every function
//! checks its range against the region's length before it makes a pointer.

use super::glance::fetch_ahead;
use super::options::{Advice, SyncMode};
use super::platform;
use super::transfer::Range;
use crate::error::Error;
use crate::guard;
use memmap2::{MmapOptions, MmapRaw};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{MsyncFlags, madvise, mlock, msync};
use std::fs::File;

/// A range up to which `willneed` reads the pages in at once instead of asking for it.
const POPULATE_AT_ONCE: usize = 4 << 20;

/// How the pages of a region relate to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protection {
    SharedRead,
    SharedWrite,
    PrivateRead,
    PrivateWrite,
}

impl Protection {
    fn is_private(self) -> bool {
        matches!(self, Protection::PrivateRead | Protection::PrivateWrite)
    }

    fn is_writable(self) -> bool {
        matches!(self, Protection::SharedWrite | Protection::PrivateWrite)
    }
}

/// A mapped file, or nothing at all where the file is empty (`mmap` knows no empty mapping).
#[derive(Debug)]
pub(crate) struct Region {
    map: Option<MmapRaw>,
    /// The logical length: the last page may reach further, and is never touched there.
    len: usize,
    protection: Protection,
}

/// The file no longer backs a page of the range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

impl Region {
    /// Maps the first `len` bytes of a file. The file may be shorter: its pages then fault
    /// until it has grown.
    pub(crate) fn new(file: &File, len: u64, protection: Protection) -> Result<Region, Error> {
        // A length past isize::MAX bytes is no pointer's distance.
        let len = usize::try_from(len)
            .ok()
            .filter(|len| isize::try_from(*len).is_ok())
            .ok_or(Error::NoMem)?;
        if len == 0 {
            return Ok(Region { map: None, len, protection });
        }
        guard::install()?;
        let mut options = MmapOptions::new();
        options.len(len);
        let map = match protection {
            Protection::SharedRead => options.map_raw_read_only(file)?,
            Protection::SharedWrite => options.map_raw(file)?,
            // SAFETY: no slice is ever formed over the map: it becomes its raw form at once, and
            // its bytes are touched by the guard's copy only, which takes them as they come.
            Protection::PrivateRead => unsafe { options.map_copy_read_only(file)? }.into(),
            // SAFETY: as for `PrivateRead`.
            Protection::PrivateWrite => unsafe { options.map_copy(file)? }.into(),
        };
        Ok(Region { map: Some(map), len, protection })
    }

    /// The logical length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// How its pages relate to the file.
    pub(super) fn protection(&self) -> Protection {
        self.protection
    }

    /// Where the bytes begin; null where there are none.
    pub(super) fn base(&self) -> *mut u8 {
        self.map.as_ref().map_or(std::ptr::null_mut(), MmapRaw::as_mut_ptr)
    }

    /// Asks the processor for the first bytes of a range that was [checked](Region::check).
    #[inline]
    pub(super) fn fetch_ahead(&self, range: Range) {
        fetch_ahead(self.base().wrapping_add(range.offset as usize), range.length);
    }

    /// Where a range starts, or [`Error::OutOfBounds`] unless all of it lies inside.
    #[inline]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<usize, Error> {
        match offset.checked_add(length) {
            // `end <= len <= isize::MAX`, so neither number is cut by the conversion.
            Some(end) if end <= self.len as u64 => Ok(offset as usize),
            _ => Err(Error::OutOfBounds),
        }
    }

    /// Copies out of the mapping.
    #[inline]
    pub(crate) fn read(&self, offset: u64, target: &mut [u8]) -> Result<Result<(), Lost>, Error> {
        let start = self.check(offset, target.len() as u64)?;
        let Some(map) = &self.map else { return Ok(Ok(())) };
        // SAFETY: `start + target.len()` lies inside the map, which lives as long as `self`;
        // `target` is ours alone, so the two don't overlap; the guard is installed (`new`).
        let copied =
            unsafe { guard::copy(target.as_mut_ptr(), map.as_ptr().add(start), target.len()) };
        Ok(copied.map_err(|_| Lost))
    }

    /// Copies into the mapping. On [`Lost`] a part may have been written.
    #[inline]
    pub(crate) fn write(&self, offset: u64, source: &[u8]) -> Result<Result<(), Lost>, Error> {
        if !self.protection.is_writable() {
            return Err(Error::Acces);
        }
        let start = self.check(offset, source.len() as u64)?;
        let Some(map) = &self.map else { return Ok(Ok(())) };
        // SAFETY: `start + source.len()` lies inside the map, which lives as long as `self` and
        // is writable; `source` is borrowed memory of our own and no mapped byte is ever
        // borrowed, so the two don't overlap; the guard is installed (`new`).
        let copied =
            unsafe { guard::copy(map.as_mut_ptr().add(start), source.as_ptr(), source.len()) };
        Ok(copied.map_err(|_| Lost))
    }

    /// Writes changed pages of a range back (`msync`), rounded out to whole pages.
    pub(crate) fn sync(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        let Some((address, length)) = self.pages(offset, length)? else { return Ok(()) };
        let flags = match mode {
            SyncMode::Sync => MsyncFlags::SYNC,
            SyncMode::Async => MsyncFlags::ASYNC,
        };
        // SAFETY: the pages belong to this map, and writing them back changes none.
        Ok(retry_on_intr(|| unsafe { msync(address, length, flags) })?)
    }

    /// Says what access to expect of a range, rounded out to whole pages. Length 0 means to the
    /// end of the mapping.
    pub(crate) fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        self.check(offset, length)?;
        let length = if length == 0 { self.len() - offset } else { length };
        let Some((address, length)) = self.pages(offset, length)? else { return Ok(()) };
        let hint = match advice {
            Advice::Normal => rustix::mm::Advice::Normal,
            Advice::Random => rustix::mm::Advice::Random,
            Advice::Sequential => rustix::mm::Advice::Sequential,
            Advice::WillNeed => match platform::POPULATE_READ {
                Some(populate) if length <= POPULATE_AT_ONCE => populate,
                _ => rustix::mm::Advice::WillNeed,
            },
            // It would throw away what was written to a private page, and a hint never does.
            Advice::DontNeed if self.protection.is_private() => return Ok(()),
            Advice::DontNeed => platform::DONT_NEED,
        };
        // SAFETY: the pages belong to this map; no advice given here changes what they hold:
        // `DONT_NEED` reaches shared pages only, whose bytes the file keeps.
        match retry_on_intr(|| unsafe { madvise(address, length, hint) }) {
            // That a hint can't be taken is not the guest's concern.
            Err(errno) if !platform::HINT_NOT_TAKEN.contains(&errno) => Err(errno.into()),
            _ => Ok(()),
        }
    }

    /// Reads every page in, for reading. Ignored where the file was cut.
    pub(crate) fn populate(&self) {
        self.prefault(0, self.len(), false);
    }

    /// Makes the pages of a range ready, for reading or for writing, so that a copy that follows
    /// need not wait for a device. A range outside the region is left for that copy to refuse.
    pub(crate) fn prefault(&self, offset: u64, length: u64, for_writing: bool) {
        if let Ok(Some((address, length))) = self.pages(offset, length) {
            // SAFETY: the pages belong to this map, and live as long as `self`.
            unsafe { platform::prefault(address, length, for_writing) };
        }
    }

    /// Keeps the pages out of the cache where the platform can (macOS). For a new region only.
    pub(crate) fn nocache(&self, file: &File) {
        if let Some(map) = &self.map {
            let (shared, writable) = (!self.protection.is_private(), self.protection.is_writable());
            platform::nocache(file, map, shared, writable);
        }
    }

    /// Locks every page in memory (`mlock`) for as long as the region lives.
    pub(crate) fn lock(&self) -> Result<(), Error> {
        let Some((address, length)) = self.pages(0, self.len())? else { return Ok(()) };
        // SAFETY: the pages belong to this map, and locking changes none.
        match unsafe { mlock(address, length) } {
            Ok(()) => Ok(()),
            // Too much is locked already, in the kernel's or this process's view.
            Err(Errno::PERM | Errno::NOMEM | Errno::AGAIN) => Err(Error::NoMem),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Locks every page in memory once it is touched, where the platform can: fails as
    /// [`lock`](Region::lock) would, and reads nothing in.
    pub(crate) fn lock_on_fault(&self) -> Result<(), Error> {
        let Some((address, length)) = self.pages(0, self.len())? else { return Ok(()) };
        // SAFETY: the pages belong to this map.
        match unsafe { platform::lock_on_fault(address, length) } {
            Ok(()) => Ok(()),
            Err(Errno::PERM | Errno::NOMEM | Errno::AGAIN) => Err(Error::NoMem),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The whole pages that a range touches: their address and length in bytes. `None` where
    /// there are none.
    fn pages(
        &self,
        offset: u64,
        length: u64,
    ) -> Result<Option<(*mut core::ffi::c_void, usize)>, Error> {
        let start = self.check(offset, length)?;
        let (Some(map), 1..) = (&self.map, length) else { return Ok(None) };
        let before = start % rustix::param::page_size();
        // SAFETY: `start` lies inside the map, and the map starts on a page, so the page that
        // `start` lies on belongs to it too.
        let address = unsafe { map.as_mut_ptr().add(start - before) };
        Ok(Some((address.cast(), before + length as usize)))
    }
}
