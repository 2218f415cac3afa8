//! OpenBSD: as a system without calls of its own, but that `msync` does not wait for the device.
//!
//! Three things are different here and can't be made up for:
//!
//! - No call allocates blocks ahead. A file that was grown is sparse.
//! - Blocks are found when a page is written back, not when it is written to. Where the disk is
//!   full, a write succeeds and `sync` fails, with `eio`, since `msync` doesn't say why. Without a
//!   `sync` the bytes are lost when the kernel needs the memory.
//! - Mapped pages and `read` and `write` have a cache each. What another process writes by `write`
//!   shows in a mapping late, and the other way round not before `sync`. Two mappings agree.

pub(crate) use super::without::*;

use rustix::io::Errno;
use std::fs::File;

/// Has the device get what `msync` wrote.
///
/// Elsewhere `msync` waits for that. Here it hands pages to the cache of `write` and returns (in
/// the kernel, `uvn_io` calls VOP_WRITE without IO_SYNC); what brings them to the device is
/// `fdatasync`.
pub(crate) fn flush_device(file: &File) -> Result<(), Errno> {
    sync_file(file)
}
