//! macOS: growth by F_PREALLOCATE, MAP_NOCACHE, F_FULLFSYNC, locks of open file descriptions; all else as on a system without calls
//! of its own for it.
//!
//! As on FreeBSD, a page of a hole gets its block when it is written back: where the disk is full,
//! a write into a sparse file succeeds and `sync` fails.

pub(crate) use super::without::*;

use super::without::{empty_by, raise_by};
use crate::error::Error;
use rustix::fs::{fcntl_fullfsync, fcntl_nocache, fsync, getpath};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

/// Makes a file at least `to` bytes long, with every block behind its end allocated, so that a
/// full disk is an error now and not a signal later.
///
/// F_PREALLOCATE takes a number of bytes behind what the file has on the disk and leaves its
/// length alone; `ftruncate` sets that. A file system that can't allocate gets a sparse file.
pub(crate) fn raise(file: &File, to: u64) -> Result<(), Error> {
    raise_by(file, to, |_, more| match retry_on_intr(|| preallocate(file, more)) {
        Err(Errno::INVAL | Errno::NOTSUP | Errno::OPNOTSUPP | Errno::NOTTY) => Ok(()),
        other => other,
    })
}

/// Empties a file, and makes it `length` bytes long, all of them zero and allocated.
pub(crate) fn empty(file: &File, _old: u64, length: u64) -> Result<(), Error> {
    empty_by(file, length, raise)
}

/// Allocates all of `more` bytes behind the last block of a file, or none.
fn preallocate(file: &File, more: u64) -> Result<(), Errno> {
    let mut store = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: i64::try_from(more).map_err(|_| Errno::FBIG)?,
        fst_bytesalloc: 0,
    };
    // SAFETY: an open descriptor, and the struct that F_PREALLOCATE reads and writes.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut store) };
    if done == -1 { Err(last_errno()) } else { Ok(()) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Keeps a mapping's pages out of the cache: the kernel gives them up first (MAP_NOCACHE), and
/// what reads and writes the file by this descriptor bypasses the cache (F_NOCACHE).
///
/// It is a wish: where it can't be granted, the mapping stays as it is.
pub(crate) fn nocache(
    file: &File,
    address: *mut c_void,
    length: usize,
    shared: bool,
    writable: bool,
) {
    let _ = fcntl_nocache(file, true);
    let mut protection = libc::PROT_READ;
    if writable {
        protection |= libc::PROT_WRITE;
    }
    let sharing = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
    let flags = libc::MAP_FIXED | libc::MAP_NOCACHE | sharing;
    // SAFETY: the same file is mapped once more over the pages of a mapping that is new and that
    // nobody has a pointer into; a failure leaves them as they are. They are unmapped all the
    // same when it goes.
    unsafe { libc::mmap(address, length, protection, flags, file.as_raw_fd(), 0) };
}

/// The same file with an open file description of its own. What is in `/dev/fd` has none, so it is
/// found by its name; whoever calls this sees whether it is still the same.
pub(crate) fn reopen(file: &File, writable: bool) -> Result<File, Error> {
    let path = std::ffi::OsString::from_vec(getpath(file)?.into_bytes());
    let mut options = File::options();
    options.read(true).write(writable).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
    Ok(options.open(path)?)
}

/// Writes a file's bytes and length to the device, and has it write its cache out.
pub(crate) fn sync_file(file: &File) -> Result<(), Errno> {
    match retry_on_intr(|| fcntl_fullfsync(file)) {
        // A network's file system has no device of its own.
        Err(Errno::NOTSUP | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOTTY | Errno::NODEV) => {
            retry_on_intr(|| fsync(file))
        }
        other => other,
    }
}

/// Has the device write its cache out (F_FULLFSYNC).
///
/// Elsewhere `msync` waits for that too. Here it ends when the device has the bytes in its cache,
/// which a loss of power empties; `sync` promises more, as `File::sync_data` does here.
pub(crate) fn flush_device(file: &File) -> Result<(), Errno> {
    sync_file(file)
}
