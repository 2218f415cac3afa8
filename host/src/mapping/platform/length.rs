//! A file's length: `ftruncate` and RLIMIT_FSIZE, which are the same on every system.

use rustix::fs::{fstat, ftruncate};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, getrlimit};
use std::fs::File;

/// Makes a file exactly `length` bytes long (`ftruncate`).
pub(crate) fn set_len(file: &File, length: u64) -> Result<(), Errno> {
    check_growth(file, length)?;
    retry_on_intr(|| ftruncate(file, length))
}

/// The length of a file now.
pub(super) fn length_of(file: &File) -> Result<u64, Errno> {
    Ok(fstat(file)?.st_size.unsigned_abs())
}

/// May this process make the file this long? The kernel would send SIGXFSZ with its EFBIG,
/// which ends the process.
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
