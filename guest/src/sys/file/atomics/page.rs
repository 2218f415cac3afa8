//! A page of a file in memory, for one of its words.

use crate::atomics::{Change, Waited};
use crate::sys::file::kinds;
use crate::{Error, ErrorKind};
use core::ffi::{c_int, c_long, c_void};
use core::ptr;
use iommap_guard::atomic::{self, Word};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// A page with a word in it, unmapped when dropped.
pub(super) struct Page {
    start: *mut c_void,
    /// Where in the page the word is.
    into: usize,
}

impl Page {
    /// The page with the word at an offset, which is a multiple of the word's size.
    pub(super) fn map(file: &File, offset: u64, writable: bool) -> Result<Page, Error> {
        iommap_guard::install().map_err(|_| ErrorKind::Enotsup)?;
        let into = offset % PAGE as u64;
        let from = libc::off_t::try_from(offset - into).map_err(|_| ErrorKind::OutOfBounds)?;
        let access = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        let fd = file.as_raw_fd();
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), PAGE, access, libc::MAP_SHARED, fd, from) };
        if start == libc::MAP_FAILED {
            return Err(kinds::of(io::Error::last_os_error()));
        }
        Ok(Page { start, into: into as usize })
    }

    /// Where the word is, as long as `self` lives.
    fn at<W>(&self) -> *mut W {
        self.start.wrapping_byte_add(self.into).cast()
    }

    pub(super) fn load<W: Word>(&self) -> Result<W, Error> {
        // SAFETY: aligned, since the offset is a multiple of the word's size, as a page is; mapped for
        // reading as long as `self` lives; the guard is installed.
        guarded(unsafe { atomic::load(self.at()) })
    }

    pub(super) fn store<W: Word>(&self, value: W) -> Result<(), Error> {
        // SAFETY: as for `load`, and it is mapped for writing: see whoever calls this.
        guarded(unsafe { atomic::store(self.at(), value) })
    }

    pub(super) fn change<W: Word>(&self, change: Change, value: W) -> Result<W, Error> {
        let at = self.at();
        // SAFETY: as for `store`, each of them.
        guarded(unsafe {
            match change {
                Change::Add => atomic::fetch_add(at, value),
                Change::And => atomic::fetch_and(at, value),
                Change::Or => atomic::fetch_or(at, value),
                Change::Xor => atomic::fetch_xor(at, value),
                Change::Exchange => atomic::swap(at, value),
            }
        })
    }

    pub(super) fn compare_exchange<W: Word>(&self, current: W, new: W) -> Result<W, Error> {
        // SAFETY: as for `store`.
        let before = guarded(unsafe { atomic::compare_exchange(self.at(), current, new) })?;
        Ok(before.unwrap_or_else(|before| before))
    }

    pub(super) fn wait(&self, expected: u32, timeout: Option<Duration>) -> Result<Waited, Error> {
        let end = timeout.and_then(|time| Instant::now().checked_add(time));
        loop {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            // As the call has it: seconds, and what is left of one.
            let time = left.map(|left| {
                let seconds = c_long::try_from(left.as_secs()).unwrap_or(c_long::MAX);
                [seconds.min(DECADES), left.subsec_nanos() as c_long]
            });
            let time = time.as_ref().map_or(ptr::null(), |time| time.as_ptr());
            let at = self.at::<u32>();
            // SAFETY: the kernel reads the word, and says so if it isn't there; and a time that lives as
            // long as the call.
            let done =
                unsafe { libc::syscall(libc::SYS_futex, at, libc::FUTEX_WAIT, expected, time) };
            if done == 0 {
                return Ok(Waited::Woken);
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(Waited::NotEqual),
                Some(libc::ETIMEDOUT) => return Ok(Waited::TimedOut),
                Some(libc::EINTR) => {}
                _ => return Err(of_futex(error)),
            }
        }
    }

    pub(super) fn notify(&self, count: u32) -> Result<u32, Error> {
        // For none the kernel wakes one.
        let Ok(count @ 1..) = c_int::try_from(count.min(c_int::MAX as u32)) else { return Ok(0) };
        let at = self.at::<u32>();
        // SAFETY: the kernel finds out which word it is, and leaves it as it is.
        let woken = unsafe { libc::syscall(libc::SYS_futex, at, libc::FUTEX_WAKE, count) };
        u32::try_from(woken).map_err(|_| of_futex(io::Error::last_os_error()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: it is this value's, and nobody else knows it.
        unsafe { libc::munmap(self.start, PAGE) };
    }
}

/// Whole pages of every machine.
const PAGE: usize = 64 << 10;

/// In seconds: whoever waits longer is told that the time is over.
const DECADES: c_long = 50 * 366 * 24 * 60 * 60;

fn guarded<R>(done: Result<R, atomic::Error>) -> Result<R, Error> {
    done.map_err(|error| match error {
        atomic::Error::Lost(_) => ErrorKind::Sigbus.into(),
        _ => ErrorKind::Enotsup.into(),
    })
}

fn of_futex(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EFAULT) => ErrorKind::Sigbus.into(),
        _ => kinds::of(error),
    }
}
