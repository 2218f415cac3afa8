//! Locks of open file descriptions (`F_OFD_SETLK`): what Linux and macOS have, by the same call.

use crate::mapping::LockMode;
use crate::mapping::lock::END;
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::AsRawFd;

// These commands know offsets of 64 bits only. glibc has others where a word has 32.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32")))]
use libc::flock as Described;
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32"))]
use libc::flock64 as Described;

/// Has the file's description hold a range so, or give it back (`None`). `false`: others hold what
/// excludes it. It never waits.
pub(crate) fn set_lock(
    file: &File,
    range: &Range<u64>,
    mode: Option<LockMode>,
) -> Result<bool, Errno> {
    let mut wanted = described(range, mode);
    match retry_on_intr(|| call(file, libc::F_OFD_SETLK, &mut wanted)) {
        Ok(()) => Ok(true),
        Err(errno) if is_conflict(errno) => Ok(false),
        Err(errno) => Err(supported(errno)),
    }
}

/// POSIX has two errors for that. On Linux it is the one, and the other is what a security module
/// says, by which nobody ever gets the lock.
fn is_conflict(errno: Errno) -> bool {
    errno == Errno::AGAIN || (errno == Errno::ACCESS && cfg!(not(target_os = "linux")))
}

/// Could the file's description have this lock now?
pub(crate) fn would_lock(file: &File, range: &Range<u64>, mode: LockMode) -> Result<bool, Errno> {
    let mut wanted = described(range, Some(mode));
    retry_on_intr(|| call(file, libc::F_OFD_GETLK, &mut wanted)).map_err(supported)?;
    Ok(wanted.l_type == libc::F_UNLCK as _)
}

fn described(range: &Range<u64>, mode: Option<LockMode>) -> Described {
    // SAFETY: it is made of numbers only, of which 0 is one.
    let mut lock: Described = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = match mode {
        None => libc::F_UNLCK,
        Some(LockMode::Shared) => libc::F_RDLCK,
        Some(LockMode::Exclusive) => libc::F_WRLCK,
    } as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = range.start as _;
    // 0: to the end, however long the file becomes.
    lock.l_len = if range.end == END { 0 } else { range.end - range.start } as _;
    lock
}

fn call(file: &File, command: i32, lock: &mut Described) -> Result<(), Errno> {
    let (file, lock) = (file.as_raw_fd(), std::ptr::from_mut(lock));
    // SAFETY: an open descriptor, and the struct that these commands read and write.
    #[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32")))]
    let done = unsafe { libc::fcntl(file, command, lock) };
    // SAFETY: likewise; glibc's function would take the struct for its own.
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "32"))]
    let done = unsafe { libc::syscall(libc::SYS_fcntl64, file, command, lock) };
    if done == -1 { Err(last_errno()) } else { Ok(()) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// What a system or a file system says that has no such locks, as NFS without a lock manager
/// (`ENOLCK`). The arguments are right.
fn supported(errno: Errno) -> Errno {
    match errno {
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOLCK => {
            Errno::NOTSUP
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_no_conflict_and_no_lock_manager_is_no_support() {
        assert!(is_conflict(Errno::AGAIN));
        assert_eq!(is_conflict(Errno::ACCESS), cfg!(target_os = "macos"));
        assert_eq!(supported(Errno::NOLCK), Errno::NOTSUP);
        assert_eq!(supported(Errno::ACCESS), Errno::ACCESS);
    }
}
