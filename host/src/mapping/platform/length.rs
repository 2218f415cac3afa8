//! A file's length: `ftruncate` and RLIMIT_FSIZE, which are the same on every system.

use rustix::fs::{OFlags, fcntl_getfl, fstat, ftruncate};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::mem::MaybeUninit;

/// Makes a file exactly `length` bytes long (`ftruncate`).
pub(crate) fn set_len(file: &File, length: u64) -> Result<(), Errno> {
    check_growth(file, length)?;
    without_signal(|| retry_on_intr(|| ftruncate(file, length)))
}

/// Is it open for writing?
pub(crate) fn is_writable(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.intersects(OFlags::WRONLY | OFlags::RDWR))
}

/// May what is open only be added to (O_APPEND)?
pub(crate) fn is_append_only(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::APPEND))
}

/// The length of a file now.
pub(crate) fn length_of(file: &File) -> Result<u64, Errno> {
    Ok(fstat(file)?.st_size.unsigned_abs())
}

/// May this process make the file this long?
pub(super) fn check_growth(file: &File, length: u64) -> Result<(), Errno> {
    if length > max_length() && length_of(file)? < length {
        return Err(Errno::FBIG);
    }
    Ok(())
}

/// The length to which this process may make a file grow (RLIMIT_FSIZE).
pub(super) fn max_length() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Does what may make a file too long for RLIMIT_FSIZE. The kernel sends SIGXFSZ to the thread with
/// its EFBIG, which would end the process: here it is held back, and taken off again.
pub(super) fn without_signal<R>(work: impl FnOnce() -> Result<R, Errno>) -> Result<R, Errno> {
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` makes the set, to which a signal is added.
    let signals = unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGXFSZ);
        signals.assume_init()
    };
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: valid sets; it fails for none of these arguments, and then `before` is not written.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, before.as_mut_ptr()) } != 0 {
        return work();
    }
    let another = is_pending();
    let done = work();
    if matches!(done, Err(Errno::FBIG)) && !another && is_pending() {
        let mut taken = 0;
        // SAFETY: the set is valid, and its signal is pending: this takes it and does not wait.
        unsafe { libc::sigwait(&signals, &mut taken) };
    }
    // SAFETY: `before` was written by the call that succeeded.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    done
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: it is written when the call succeeds, and looked at only then.
    unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0
            && libc::sigismember(pending.as_ptr(), libc::SIGXFSZ) == 1
    }
}
