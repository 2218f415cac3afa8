//! One range of address space over a file: the only place that holds a pointer to mapped bytes.
//!
//! Another process may change or cut the file at any time, so mapped bytes are never borrowed:
//! no slice over them is formed, and they are touched by the guard's copy alone. Every function
//! checks its range against the region's length before it makes a pointer.
//!
//! Calls that lock the process's address space for as long as they work are made for a few
//! megabytes at a time: no other `mmap` of the process waits for more than that.

use super::canary::Canary;
use super::options::{Advice, SyncMode};
use super::pages::{Pages, Protection, pieces};
use super::platform;
use crate::error::{Error, ErrorKind};
use crate::guard;
use crate::usage::{Reservation, Resource, Usage};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{MsyncFlags, madvise, mlock, msync, munlock};
use std::ffi::c_void;
use std::fs::File;
use std::sync::Arc;

/// A range up to which `willneed` reads the pages in at once instead of asking for it.
const POPULATE_AT_ONCE: usize = 4 << 20;

/// A mapped file, or nothing at all where the file is empty (`mmap` knows no empty mapping).
#[derive(Debug)]
pub(crate) struct Region {
    pages: Option<Pages>,
    /// The logical length: the last page may reach further, and is never touched there.
    len: usize,
    protection: Protection,
    /// What notices that pages which were written to are lost, where they are private.
    canary: Option<Canary>,
    /// The ranges of address space, of which the kernel gives a process only so many.
    _ranges: Reservation,
}

/// The file no longer backs a page of the range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost;

impl Region {
    /// Maps the first `len` bytes of a file. The file may be shorter: its pages then fault
    /// until it has grown.
    pub(crate) fn new(
        file: &File,
        len: u64,
        protection: Protection,
        usage: &Arc<Usage>,
    ) -> Result<Region, Error> {
        // A length past isize::MAX bytes is no pointer's distance.
        let too_long = || Error::because(ErrorKind::Enomem, "longer than any address space");
        let len = usize::try_from(len)
            .ok()
            .filter(|len| isize::try_from(*len).is_ok())
            .ok_or_else(too_long)?;
        let huge = platform::page_size_of(file);
        // A huge page is too much to give for one.
        let with_canary = protection == Protection::PrivateWrite && huge.is_none();
        let ranges = if len == 0 { 0 } else { 1 + u64::from(with_canary) };
        let ranges = Reservation::new(usage, Resource::Ranges, ranges)?;
        if len == 0 {
            return Ok(Region { pages: None, len, protection, canary: None, _ranges: ranges });
        }
        guard::install()?;
        // Where pages are huge, the kernel maps whole ones, and unmaps nothing less.
        let whole = huge.and_then(|page| len.checked_next_multiple_of(page)).unwrap_or(len);
        let pages = Pages::map(file, 0, whole, protection)?;
        let canary = with_canary.then(|| Canary::new(file, len)).transpose()?;
        Ok(Region { pages: Some(pages), len, protection, canary, _ranges: ranges })
    }

    /// Another range of address space over the same pages, without the file: for a region that is
    /// shared with the file, where the system can.
    pub(super) fn again(&self, usage: &Arc<Usage>) -> Result<Option<Region>, Error> {
        let Some(pages) = self.pages.as_ref().filter(|_| !self.protection.is_private()) else {
            return Ok(None);
        };
        let range = Reservation::new(usage, Resource::Ranges, 1)?;
        let Some(pages) = pages.again() else { return Ok(None) };
        let Region { len, protection, .. } = *self;
        Ok(Some(Region { pages: Some(pages), len, protection, canary: None, _ranges: range }))
    }

    /// From now on [`was_cut`](Region::was_cut) can tell, where pages are private and written to.
    pub(super) fn watch_for_cuts(&self) -> Result<(), Lost> {
        self.canary.as_ref().map_or(Ok(()), |canary| canary.set().map_err(|_| Lost))
    }

    /// Was the file cut short, so that written pages of a private region may be lost, whatever
    /// they read as now? Once it was, this stays so.
    pub(super) fn was_cut(&self) -> bool {
        self.canary.as_ref().is_some_and(Canary::is_gone)
    }

    /// The logical length in bytes.
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// How its pages relate to the file.
    pub(super) fn protection(&self) -> Protection {
        self.protection
    }

    /// Asks the processor for the first bytes of a range that was [checked](Region::check).
    #[inline]
    pub(super) fn prefetch(&self, offset: u64, length: u64) {
        if let Some(pages) = &self.pages {
            iommap_guard::prefetch(pages.address().wrapping_add(offset as usize), length as usize);
        }
    }

    /// Where a range starts, or [`ErrorKind::OutOfBounds`] unless all of it lies inside.
    #[inline]
    pub(crate) fn check(&self, offset: u64, length: u64) -> Result<usize, Error> {
        match offset.checked_add(length) {
            // `end <= len <= isize::MAX`, so neither number is cut by the conversion.
            Some(end) if end <= self.len as u64 => Ok(offset as usize),
            _ => Err(self.outside(offset, length)),
        }
    }

    #[cold]
    fn outside(&self, offset: u64, length: u64) -> Error {
        let reason = format!("{length} bytes at {offset}, the mapping has {}", self.len);
        Error::because(ErrorKind::OutOfBounds, reason)
    }

    /// Where a range starts in memory, if all of it lies inside. It is mapped for as long as the region
    /// lives, to be touched by the guard alone, which is installed.
    #[inline]
    pub(super) fn at(&self, offset: u64, length: u64) -> Result<*mut u8, Error> {
        let start = self.check(offset, length)?;
        // Where there are no pages, no byte lies inside.
        let pages = self.pages.as_ref().ok_or(ErrorKind::OutOfBounds)?;
        Ok(pages.address().wrapping_add(start))
    }

    /// Copies out of the mapping.
    #[inline]
    pub(crate) fn read(&self, offset: u64, target: &mut [u8]) -> Result<Result<(), Lost>, Error> {
        let start = self.check(offset, target.len() as u64)?;
        let Some(pages) = &self.pages else { return Ok(Ok(())) };
        // SAFETY: `start + target.len()` lies inside the map, which lives as long as `self`;
        // `target` is ours alone, so the two don't overlap; the guard is installed (`new`).
        let copied =
            unsafe { guard::copy(target.as_mut_ptr(), pages.address().add(start), target.len()) };
        Ok(copied.map_err(|_| Lost))
    }

    /// Copies into the mapping. On [`Lost`] a part may have been written.
    #[inline]
    pub(crate) fn write(&self, offset: u64, source: &[u8]) -> Result<Result<(), Lost>, Error> {
        if !self.protection.is_writable() {
            return Err(ErrorKind::Eacces.into());
        }
        let start = self.check(offset, source.len() as u64)?;
        let Some(pages) = &self.pages else { return Ok(Ok(())) };
        // SAFETY: `start + source.len()` lies inside the map, which lives as long as `self` and
        // is writable; `source` is borrowed memory of our own and no mapped byte is ever
        // borrowed, so the two don't overlap; the guard is installed (`new`).
        let copied =
            unsafe { guard::copy(pages.address().add(start), source.as_ptr(), source.len()) };
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
        match retry_on_intr(|| unsafe { msync(address, length, flags) }) {
            // OpenBSD's word for pages that couldn't be written; `sigbus` would mean another thing.
            Err(Errno::FAULT) => Err(ErrorKind::Eio.into()),
            other => Ok(other?),
        }
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
        // A hint that lasts is a note on the range; the others work on its pages.
        let lasts = !matches!(advice, Advice::WillNeed | Advice::DontNeed);
        let whole = lasts.then_some((address, length));
        let parts = (!lasts).then(|| pieces(address, length));
        for (address, length) in whole.into_iter().chain(parts.into_iter().flatten()) {
            // SAFETY: the pages belong to this map; no advice given here changes what they hold:
            // `DONT_NEED` reaches shared pages only, whose bytes the file keeps.
            match retry_on_intr(|| unsafe { madvise(address, length, hint) }) {
                // That a hint can't be taken is not the guest's concern.
                Err(errno) if !platform::HINT_NOT_TAKEN.contains(&errno) => {
                    return Err(errno.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the pages of a range ready, for reading or for writing, so that a copy that follows
    /// need not wait for a device. A range outside the region is left for that copy to refuse.
    pub(crate) fn prefault(&self, offset: u64, length: u64, for_writing: bool) {
        // Pages of a private region that are made ready for writing are copies in memory, which
        // only a write may cost.
        let for_writing = for_writing && !self.protection.is_private();
        if let Ok(Some((address, length))) = self.pages(offset, length) {
            for (address, length) in pieces(address, length) {
                // SAFETY: the pages belong to this map, and live as long as `self`.
                if unsafe { platform::prefault(address, length, for_writing) }.is_err() {
                    return;
                }
            }
        }
    }

    /// Reads in the pages that the file has bytes for. What is a hole, or was cut off, is left out:
    /// to read a hole of a tmpfs fills it.
    pub(crate) fn populate(&self, file: &File) {
        platform::for_each_extent(file, self.len(), |offset, length| {
            self.prefault(offset, length, false);
        });
    }

    /// Keeps the pages out of the cache where the platform can (macOS). For a new region only.
    pub(crate) fn nocache(&self, file: &File) {
        if let Some(pages) = &self.pages {
            let (shared, writable) = (!self.protection.is_private(), self.protection.is_writable());
            platform::nocache(file, pages.address().cast(), self.len, shared, writable);
        }
    }

    /// Locks every page in memory (`mlock`) for as long as the region lives, or until
    /// [`unlock`](Region::unlock).
    pub(crate) fn lock(&self) -> Result<(), Error> {
        // SAFETY: the pages belong to this map, and locking changes none.
        self.lock_by(|address, length| unsafe { mlock(address, length) })
    }

    /// Locks every page in memory once it is touched, where the platform can: fails as
    /// [`lock`](Region::lock) would, and reads nothing in.
    pub(crate) fn lock_on_fault(&self) -> Result<(), Error> {
        // SAFETY: the pages belong to this map.
        self.lock_by(|address, length| unsafe { platform::lock_on_fault(address, length) })
    }

    fn lock_by(&self, lock: impl Fn(*mut c_void, usize) -> Result<(), Errno>) -> Result<(), Error> {
        let Some((address, length)) = self.pages(0, self.len())? else { return Ok(()) };
        for (address, length) in pieces(address, length) {
            if let Err(errno) = lock(address, length) {
                self.unlock();
                return Err(match errno {
                    // Too much is locked already, in the kernel's or this process's view.
                    Errno::PERM | Errno::NOMEM | Errno::AGAIN => Errno::NOMEM.into(),
                    errno => errno.into(),
                });
            }
        }
        Ok(())
    }

    /// Lets the kernel evict the pages again (`munlock`).
    pub(crate) fn unlock(&self) {
        let Ok(Some((address, length))) = self.pages(0, self.len()) else { return };
        for (address, length) in pieces(address, length) {
            // SAFETY: the pages belong to this map, and unlocking changes none. It fails only
            // where they are not locked.
            let _ = unsafe { munlock(address, length) };
        }
    }

    /// The whole pages that a range touches: their address and length in bytes. `None` where
    /// there are none.
    fn pages(&self, offset: u64, length: u64) -> Result<Option<(*mut c_void, usize)>, Error> {
        let start = self.check(offset, length)?;
        let (Some(pages), 1..) = (&self.pages, length) else { return Ok(None) };
        let before = start % rustix::param::page_size();
        // SAFETY: `start` lies inside the map, and the map starts on a page, so the page that
        // `start` lies on belongs to it too.
        let address = unsafe { pages.address().add(start - before) };
        Ok(Some((address.cast(), before + length as usize)))
    }
}
