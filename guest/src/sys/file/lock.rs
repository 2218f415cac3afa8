//! Locks of open file descriptions, as the host takes them: where the system has them.

use super::{Handle, allowed, open_state};
use crate::lock::{LockMode, LockWait, Locked};
use crate::{Error, ErrorKind, Range};
use std::fs::File;
use std::ops;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Behind all that a file may have.
const END: u64 = 1 << 63;

/// How long it is until others are asked again, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What the system is asked, of a range and a mode.
type Ask = fn(&File, &ops::Range<u64>, Option<LockMode>) -> Result<bool, Error>;

impl Handle {
    /// Nobody tells who waits, so it asks again after a pause.
    pub(crate) fn lock(
        &self,
        range: Range,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Locked, Error> {
        let end = match wait {
            LockWait::No => Some(Instant::now()),
            LockWait::For(time) => Instant::now().checked_add(time),
            LockWait::Forever => None,
        };
        let mut pause = PAUSES.0;
        loop {
            if self.ask(range, mode, record::set)? {
                return Ok(Locked::Yes);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Locked::Busy);
            }
            sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    pub(crate) fn unlock(&self, range: Range) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        record::set(&state.file, &checked(range)?, None).map(drop)
    }

    pub(crate) fn would_lock(&self, range: Range, mode: LockMode) -> Result<bool, Error> {
        self.ask(range, mode, record::would)
    }

    fn ask(&self, range: Range, mode: LockMode, what: Ask) -> Result<bool, Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(match mode {
            LockMode::Shared => self.reads,
            LockMode::Exclusive => self.writes && state.private.is_none(),
        })?;
        what(&state.file, &checked(range)?, Some(mode))
    }
}

fn checked(Range { offset, length }: Range) -> Result<ops::Range<u64>, Error> {
    let end = if length == 0 { Some(END) } else { offset.checked_add(length) };
    let end = end.filter(|end| offset < END && (*end < END || length == 0));
    end.map(|end| offset..end).ok_or_else(|| ErrorKind::Badarg.into())
}

#[cfg(all(target_pointer_width = "64", any(target_os = "linux", target_os = "macos")))]
mod record {
    use super::{END, Error, LockMode};
    use crate::ErrorKind;
    use crate::sys::file::kinds;
    use std::fs::File;
    use std::io;
    use std::mem::MaybeUninit;
    use std::ops::Range;
    use std::os::fd::AsRawFd;

    pub(super) fn set(
        file: &File,
        range: &Range<u64>,
        mode: Option<LockMode>,
    ) -> Result<bool, Error> {
        match call(file, libc::F_OFD_SETLK, range, mode) {
            Ok(_) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => Ok(false),
                // On Linux that is what a security module says, and no conflict.
                Some(libc::EACCES) if cfg!(not(target_os = "linux")) => Ok(false),
                _ => Err(kind(error)),
            },
        }
    }

    pub(super) fn would(
        file: &File,
        range: &Range<u64>,
        mode: Option<LockMode>,
    ) -> Result<bool, Error> {
        call(file, libc::F_OFD_GETLK, range, mode).map_err(kind)
    }

    /// What a system or a file system says that has no such locks is not about the arguments, which
    /// are right.
    fn kind(error: io::Error) -> Error {
        match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP | libc::ENOTTY | libc::ENOLCK) => {
                ErrorKind::Enotsup.into()
            }
            _ => kinds::of(error),
        }
    }

    /// Tells whether it is unlocked afterwards.
    fn call(
        file: &File,
        command: i32,
        range: &Range<u64>,
        mode: Option<LockMode>,
    ) -> io::Result<bool> {
        // SAFETY: it is made of numbers only, of which 0 is one.
        let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
        lock.l_type = match mode {
            None => libc::F_UNLCK,
            Some(LockMode::Shared) => libc::F_RDLCK,
            Some(LockMode::Exclusive) => libc::F_WRLCK,
        } as _;
        lock.l_whence = libc::SEEK_SET as _;
        lock.l_start = range.start as _;
        lock.l_len = if range.end == END { 0 } else { range.end - range.start } as _;
        // SAFETY: an open descriptor, and the struct that these commands read and write.
        let done = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) };
        if done == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(lock.l_type == libc::F_UNLCK as _)
    }
}

#[cfg(not(all(target_pointer_width = "64", any(target_os = "linux", target_os = "macos"))))]
mod record {
    use super::{Error, LockMode};
    use crate::ErrorKind;
    use std::fs::File;
    use std::ops::Range;

    pub(super) fn set(_: &File, _: &Range<u64>, _: Option<LockMode>) -> Result<bool, Error> {
        Err(ErrorKind::Enotsup.into())
    }

    pub(super) fn would(_: &File, _: &Range<u64>, _: Option<LockMode>) -> Result<bool, Error> {
        Err(ErrorKind::Enotsup.into())
    }
}
