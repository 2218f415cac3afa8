//! Memory files: `memfd_create`.

use crate::error::Error;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;

/// A file in memory that has no name anywhere, for regions of shared memory.
pub(crate) fn memory_file() -> Result<File, Error> {
    Ok(new(c"iommap: shared memory", MemfdFlags::CLOEXEC)?)
}

/// A memory file that can't be executed, where the kernel can say so.
pub(super) fn new(name: &CStr, flags: MemfdFlags) -> Result<File, Errno> {
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    }
    .map(File::from)
}
