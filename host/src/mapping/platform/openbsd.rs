//! OpenBSD: growth by `ftruncate`, prefaulting by touching pages.
//!
//! Three things are different here and can't be made up for:
//!
//! - No call allocates blocks ahead. A file that was grown is sparse.
//! - Blocks are found when a page is written back, not when it is written to. Where the disk is
//!   full, a write succeeds and `sync` fails, with `eio`, since `msync` doesn't say why. Without a
//!   `sync` the bytes are lost when the kernel needs the memory.
//! - Mapped pages and `read` and `write` have a cache each. What another process writes by `write`
//!   shows in a mapping late, and the other way round not before `sync`. Two mappings agree.

use super::without;
use crate::error::Error;
use memmap2::MmapRaw;
use rustix::fs::fdatasync;
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::Advice;
use std::ffi::c_void;
use std::fs::File;

/// There is no advice that reads pages in at once: `willneed` asks for it, and [`prefault`]
/// touches them.
pub(crate) const POPULATE_READ: Option<Advice> = None;

/// The advice that pages are not needed for now. Here it never throws anything away.
pub(crate) const DONT_NEED: Advice = Advice::DontNeed;

/// What `madvise` says where a hint can't be taken.
pub(crate) const HINT_NOT_TAKEN: &[Errno] = &[Errno::INVAL, Errno::FAULT, Errno::AGAIN];

/// Does [`lock_on_fault`] leave pages locked?
pub(crate) const LOCKS_ON_FAULT: bool = false;

/// How `open` refuses a socket.
pub(crate) const OPENED_SOCKET: Errno = Errno::OPNOTSUPP;

/// Makes a file `to` bytes long, `from` being its length: sparse, since nothing here allocates.
pub(crate) fn grow(file: &File, from: u64, to: u64) -> Result<(), Error> {
    without::grow(file, from, to, || Ok(()))
}

/// Makes a file `length` bytes long, all of them zero.
pub(crate) fn empty(file: &File, _old: u64, length: u64) -> Result<(), Error> {
    without::empty(file, length, grow)
}

/// Reads pages in; see [`without::prefault`].
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are mapped and stay so.
pub(crate) unsafe fn prefault(address: *mut c_void, length: usize, for_writing: bool) {
    // SAFETY: the caller's promise.
    unsafe { without::prefault(address, length, for_writing) };
}

/// Fails as locking the pages would. There is no lock that reads nothing in.
///
/// # Safety
///
/// None; elsewhere the pages have to be the caller's.
pub(crate) unsafe fn lock_on_fault(_: *mut c_void, length: usize) -> Result<(), Errno> {
    without::try_lock(length)
}

/// There is no cache to keep a mapping out of: its pages are the cache.
pub(crate) fn nocache(_: &File, _: &MmapRaw, _shared: bool, _writable: bool) {}

/// Writes a file's bytes and length to the device.
pub(crate) fn sync_file(file: &File) -> Result<(), Errno> {
    retry_on_intr(|| fdatasync(file))
}

/// Has the device get what `msync` wrote.
///
/// Elsewhere `msync` waits for that. Here it hands pages to the cache of `write` and returns (in
/// the kernel, `uvn_io` calls VOP_WRITE without IO_SYNC); what brings them to the device is
/// `fdatasync`.
pub(crate) fn flush_device(file: &File) -> Result<(), Errno> {
    sync_file(file)
}
