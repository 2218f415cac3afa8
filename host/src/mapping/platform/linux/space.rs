//! A file's blocks: `fallocate`, and what is made of its modes that never change a length.

use super::super::length::without_signal;
use super::page_size_of;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::File;

/// What is interrupted is done in pieces of so many bytes at least, each to a multiple of it: whole
/// blocks of any file system.
const LEAST: u64 = 64 << 10;

/// Gives the blocks of a range back, and makes its bytes zero.
pub(crate) fn punch_hole(file: &File, offset: u64, length: u64) -> Result<(), Errno> {
    change(file, FallocateFlags::PUNCH_HOLE, offset, length)
}

/// Makes a range zero, with its blocks allocated. A file system that has holes and no such call
/// (tmpfs) gets a hole, which is filled: there zeros are not written either. If it can't fill one, or
/// has no room, it says so while the bytes still stand.
pub(crate) fn zero_range(file: &File, offset: u64, length: u64) -> Result<(), Errno> {
    match change(file, FallocateFlags::ZERO_RANGE, offset, length) {
        Err(Errno::NOTSUP) => {
            allocate(file, offset, length)?;
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
    fallocate(file, mode | FallocateFlags::KEEP_SIZE, offset, length)
}

/// `fallocate(2)`, which ends also where signals keep coming. On a tmpfs any signal undoes all of a call
/// (only one that kills, with newer kernels), so what was interrupted is done in pieces: half as many
/// bytes each time, and twice as many after each that was done.
pub(super) fn fallocate(
    file: &File,
    mode: FallocateFlags,
    offset: u64,
    length: u64,
) -> Result<(), Errno> {
    let mut at = offset;
    let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
    let mut piece = length.checked_next_power_of_two().unwrap_or(1 << 63);
    loop {
        let rest = end - at;
        // Pieces end where blocks do: of one that lies in two pieces a hole would leave both parts.
        let next = if rest <= piece { rest } else { piece - at % piece };
        match without_signal(|| rustix::fs::fallocate(file, mode, at, next)) {
            Ok(()) if next == rest => return Ok(()),
            Ok(()) => {
                at += next;
                piece = piece.saturating_mul(2);
            }
            Err(Errno::INTR) => {
                let least = page_size_of(file).map_or(LEAST, |size| LEAST.max(size as u64));
                piece = (piece / 2).max(least);
            }
            Err(errno) => return Err(errno),
        }
    }
}
