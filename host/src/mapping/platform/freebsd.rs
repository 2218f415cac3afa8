//! FreeBSD: growth by `posix_fallocate`, prefaulting by touching pages.
//!
//! A page of a hole gets its block when it is written back, not when it is written to. So where
//! the disk is full, a write into a file that is sparse (one that others made so, or any on ZFS)
//! succeeds and `sync` fails, with `eio`. What `grow` has allocated is safe from that.

use super::length::set_len;
use super::without;
use crate::error::Error;
use memmap2::MmapRaw;
use rustix::fs::{FallocateFlags, fallocate, fdatasync};
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

/// Makes a file `to` bytes long, `from` being its length, with every block allocated, so that
/// a full disk is an error now and not a signal later.
///
/// `posix_fallocate` changes the length as it goes, and has to be taken back if it fails. It is
/// never used on what the file has already: a file system without an allocation of its own gets
/// one that reads the blocks and writes them back, and a change through a mapping in between
/// would be lost. A file system that can't allocate (ZFS, which says EINVAL) gets a sparse file.
pub(crate) fn grow(file: &File, from: u64, to: u64) -> Result<(), Error> {
    without::grow(file, from, to, || {
        let nothing = FallocateFlags::empty();
        match retry_on_intr(|| fallocate(file, nothing, from, to - from)) {
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV) => Ok(()),
            other => other,
        }
    })
}

/// Makes a file `length` bytes long, all of them zero and allocated.
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

/// `msync` and `fdatasync` have had the device write its cache out.
pub(crate) fn flush_device(_: &File) -> Result<(), Errno> {
    Ok(())
}
