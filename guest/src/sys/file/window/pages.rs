//! Pages of a file over memory of the program's own.

use crate::window::{Region, UNIT, WindowOptions};
use crate::{Error, ErrorKind, Range};
use core::ffi::{c_int, c_void};
use core::{mem, ptr};
use iommap_guard::watch::{Refused, Watch};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Pages of a file in a region, until [`clear`](Pages::clear).
pub(super) struct Pages {
    start: *mut u8,
    /// How much of the region the file may take.
    room: usize,
    /// How much of it the file takes now, in whole pages.
    taken: usize,
    watch: Watch,
}

// SAFETY: the pointer is an address to the kernel, and never read through.
unsafe impl Send for Pages {}

impl Pages {
    pub(super) fn map(
        file: &File,
        range: Range,
        place: &Region,
        options: WindowOptions,
    ) -> Result<Pages, Error> {
        iommap_guard::install().map_err(|_| ErrorKind::Enotsup)?;
        let start = place.start().as_ptr();
        let room = place.length() - UNIT;
        let watched = start.addr()..start.addr() + place.length();
        // SAFETY: the region stays at least until the pages are out, and whoever reads there does so
        // through pointers.
        let watch = unsafe { Watch::new(watched, ptr::from_ref(&OWNER).addr()) };
        let mut watch = watch.map_err(|refused| match refused {
            Refused::TooMany => ErrorKind::LimitExceeded,
            _ => ErrorKind::Badarg,
        })?;
        // Last, so that what fails does while the region is as it was.
        let taken = show(file, range, (start, room), options)?;
        // SAFETY: likewise; nothing was touched in between.
        unsafe { watch.renew() };
        Ok(Pages { start, room, taken, watch })
    }

    pub(super) fn move_to(
        &mut self,
        file: &File,
        range: Range,
        options: WindowOptions,
    ) -> Result<(), Error> {
        let taken = show(file, range, (self.start, self.room), options)?;
        // SAFETY: as when it was made; nothing was touched in between.
        unsafe { self.watch.renew() };
        let before = mem::replace(&mut self.taken, taken);
        // What was shown behind it. There is no way back, so it stays if it must.
        if taken < before && zeros(self.start.wrapping_add(taken), before - taken).is_err() {
            self.watch.forget();
            self.taken = before;
        }
        Ok(())
    }

    pub(super) fn lost(&self) -> bool {
        self.watch.lost() > 0
    }

    pub(super) fn prefetch(&self, offset: usize, length: usize) {
        let into = offset % page();
        let from = self.start.wrapping_add(offset - into).cast();
        // SAFETY: a hint. If the kernel refuses it, the pages are read in later.
        unsafe { libc::madvise(from, length + into, libc::MADV_WILLNEED) };
    }

    /// Makes all of it the program's own memory again.
    pub(super) fn clear(&mut self) -> Result<(), Error> {
        zeros(self.start, self.taken)
    }
}

/// Tells the windows of this program from those of a host in the same process.
static OWNER: u8 = 0;

/// Maps a range of a file over memory; returns how much of it that took. After an error all is as it was:
/// it is mapped elsewhere first, for a file system that refuses it is asked when what was there is gone.
fn show(
    file: &File,
    range: Range,
    (start, room): (*mut u8, usize),
    options: WindowOptions,
) -> Result<usize, Error> {
    let taken = (range.length as usize).next_multiple_of(page());
    if taken > room || !range.offset.is_multiple_of(UNIT as u64) {
        return Err(ErrorKind::Badarg.into());
    }
    let sharing = if options.shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
    let populate = if options.populate { libc::MAP_POPULATE } else { 0 };
    let flags = sharing | libc::MAP_NORESERVE | populate;
    let new = map(ptr::null_mut(), taken, flags, file.as_raw_fd(), range.offset)?;
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: a new mapping, over memory of a region, which belongs to whoever opens a window there.
    if unsafe { libc::mremap(new, taken, taken, flags, start) } == libc::MAP_FAILED {
        let error = super::super::kinds::of(std::io::Error::last_os_error());
        // SAFETY: nobody knows it, and it was not moved.
        unsafe { libc::munmap(new, taken) };
        return Err(error);
    }
    Ok(taken)
}

fn page() -> usize {
    // SAFETY: it only asks.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // No system lacks an answer.
    usize::try_from(size).unwrap_or(UNIT)
}

/// Maps zeros over memory.
fn zeros(start: *mut u8, length: usize) -> Result<(), Error> {
    map(start, length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED, -1, 0).map(drop)
}

fn map(
    start: *mut u8,
    length: usize,
    flags: c_int,
    fd: c_int,
    offset: u64,
) -> Result<*mut c_void, Error> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let offset = i64::try_from(offset).map_err(|_| ErrorKind::OutOfBounds)?;
    // SAFETY: anywhere, or over memory of a region, which belongs to whoever opens a window there.
    let mapped = unsafe { libc::mmap(start.cast(), length, protection, flags, fd, offset) };
    if mapped == libc::MAP_FAILED {
        return Err(super::super::kinds::of(std::io::Error::last_os_error()));
    }
    Ok(mapped)
}

/// Whether nobody can change the file's bytes any more: it is sealed, or has fs-verity.
pub(super) fn frozen(file: &File) -> bool {
    const SEALS: c_int = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK;
    // SAFETY: it only asks.
    let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
    if seals >= 0 && seals & SEALS == SEALS {
        return true;
    }
    // SAFETY: all zeros is a `statx`, which is made of numbers.
    let mut status: libc::statx = unsafe { mem::zeroed() };
    let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the name is empty, so that it is the descriptor's file, and `status` is ours.
    let asked = unsafe { libc::statx(file.as_raw_fd(), empty, flags, 0, &raw mut status) };
    let verity = libc::STATX_ATTR_VERITY as u64;
    asked == 0 && status.stx_attributes & verity != 0
}
