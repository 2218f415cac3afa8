//! Linux: growth by `fallocate`, prefaulting by `MADV_POPULATE_READ`.

use crate::error::Error;
use rustix::fs::{FallocateFlags, fallocate, fstat, ftruncate};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::Advice;
use std::fs::File;

/// The advice that reads pages in at once, for reading. `MAP_POPULATE` on a writable shared
/// mapping would dirty every page of it.
pub(crate) const POPULATE_READ: Option<Advice> = Some(Advice::LinuxPopulateRead);

/// The advice that makes pages ready to be written to: they count as changed from then on.
pub(crate) const POPULATE_WRITE: Option<Advice> = Some(Advice::LinuxPopulateWrite);

/// The advice that drops pages from the mapping; on a shared mapping nothing is lost by it.
pub(crate) const DONT_NEED: Advice = Advice::LinuxDontNeed;

/// Makes a file `to` bytes long, `from` being its length, with every block allocated, so that
/// a full disk is an error now and not a signal later.
///
/// The blocks are allocated behind the end of the file first and its length is set last: a
/// failure leaves the length alone. A file system that can't allocate gets a sparse file.
pub(crate) fn grow(file: &File, from: u64, to: u64) -> Result<(), Error> {
    let grown = match allocate(file, from, to) {
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => set_len(file, to),
        Err(errno) => Err(errno),
    };
    grown.map_err(|errno| {
        // Setting the length that the file has gives back the blocks behind its end. Nothing
        // can be done if that fails too: the length is right all the same.
        if let Ok(stat) = fstat(file) {
            let _ = set_len(file, stat.st_size.unsigned_abs());
        }
        Error::from(errno)
    })
}

/// Makes a file `length` bytes long, all of them zero and allocated; `old` is its length.
///
/// What may fail for want of space comes first, while the old contents still stand: a failure
/// there changes nothing. Then the bytes are zeroed in place, which keeps the blocks; a file
/// system that can't is emptied and allocated anew, from the space that this has freed.
pub(crate) fn empty(file: &File, old: u64, length: u64) -> Result<(), Error> {
    if length > 0 {
        match allocate(file, 0, length) {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => {}
            Err(errno) => {
                // As in `grow`: the blocks behind the end go, the contents stay.
                let _ = set_len(file, old);
                return Err(errno.into());
            }
        }
        let zero = FallocateFlags::ZERO_RANGE;
        if retry_on_intr(|| fallocate(file, zero, 0, length)).is_ok() {
            return Ok(set_len(file, length)?);
        }
    }
    if length > max_length() {
        return Err(Error::FBig);
    }
    set_len(file, 0)?;
    if length > 0 { grow(file, 0, length) } else { Ok(()) }
}

/// Makes a file exactly `length` bytes long (`ftruncate`).
pub(crate) fn set_len(file: &File, length: u64) -> Result<(), Errno> {
    check_growth(file, length)?;
    retry_on_intr(|| ftruncate(file, length))
}

fn allocate(file: &File, from: u64, to: u64) -> Result<(), Errno> {
    check_growth(file, to)?;
    retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, from, to - from))
}

/// May this process make the file this long? The kernel would send SIGXFSZ with its EFBIG,
/// which ends the process.
fn check_growth(file: &File, length: u64) -> Result<(), Errno> {
    if length > max_length() && fstat(file)?.st_size.unsigned_abs() < length {
        return Err(Errno::FBIG);
    }
    Ok(())
}

/// The length to which this process may make a file grow (RLIMIT_FSIZE).
fn max_length() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: u64::MAX, rlim_max: u64::MAX };
    // SAFETY: `limit` is a valid rlimit to write to.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
    limit.rlim_cur
}
