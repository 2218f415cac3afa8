//! A file's blocks: `fallocate` in the modes that never change a length.

use super::super::length::without_signal;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;

/// Gives the blocks of a range back, and makes its bytes zero.
pub(crate) fn punch_hole(file: &File, offset: u64, length: u64) -> Result<(), Errno> {
    change(file, FallocateFlags::PUNCH_HOLE, offset, length)
}

/// Makes a range zero, with its blocks allocated. A file system that has holes and no such call
/// (tmpfs) gets a hole, which is filled: there zeros are not written either.
pub(crate) fn zero_range(file: &File, offset: u64, length: u64) -> Result<(), Errno> {
    match change(file, FallocateFlags::ZERO_RANGE, offset, length) {
        Err(Errno::NOTSUP) => {
            punch_hole(file, offset, length)?;
            allocate(file, offset, length)
        }
        other => other,
    }
}

/// Allocates the blocks of a range, and changes no byte.
pub(crate) fn allocate(file: &File, offset: u64, length: u64) -> Result<(), Errno> {
    change(file, FallocateFlags::empty(), offset, length)
}

fn change(file: &File, mode: FallocateFlags, offset: u64, length: u64) -> Result<(), Errno> {
    let mode = mode | FallocateFlags::KEEP_SIZE;
    without_signal(|| retry_on_intr(|| fallocate(file, mode, offset, length)))
}
