//! Linux: growth by `fallocate`, prefaulting by `MADV_POPULATE_READ`, locking by `mlock2`.

mod files;
mod frozen;
mod futex;
mod growth;
mod memory;
mod space;

pub(crate) use files::{for_each_extent, has_own_locks, keeps_identity, page_size_of, reopen};
pub(crate) use frozen::{frozen_copy, is_frozen};
pub(crate) use futex::{HAS_FUTEXES, wait_on, wake};
pub(crate) use growth::{empty, raise};
pub(crate) use memory::memory_file;
pub(crate) use space::{allocate, punch_hole, zero_range};

use rustix::fs::fdatasync;
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{Advice, MlockFlags, MremapFlags, madvise, mlock_with, mremap, mremap_fixed};
use std::ffi::c_void;
use std::fs::File;

/// The advice that reads pages in at once, for reading. `MAP_POPULATE` on a writable shared
/// mapping would dirty every page of it.
pub(crate) const POPULATE_READ: Option<Advice> = Some(Advice::LinuxPopulateRead);

/// The advice that makes pages ready to be written to: they count as changed from then on.
const POPULATE_WRITE: Advice = Advice::LinuxPopulateWrite;

/// The advice that drops pages from the mapping; on a shared mapping nothing is lost by it.
pub(crate) const DONT_NEED: Advice = Advice::LinuxDontNeed;

/// What `madvise` says where a hint can't be taken: the pages are locked, the file was cut, or
/// the kernel is older than the advice.
pub(crate) const HINT_NOT_TAKEN: &[Errno] =
    &[Errno::INVAL, Errno::FAULT, Errno::AGAIN, Errno::HWPOISON];

/// Does [`lock_on_fault`] leave pages locked?
pub(crate) const LOCKS_ON_FAULT: bool = true;

/// Moves what is mapped at one address to another, in place of what is there. Nobody but the kernel is
/// asked, and it looks first whether it has room for all that it may need.
///
/// # Safety
///
/// Both ranges are mapped, the caller's to change, and don't overlap; nothing refers to either.
pub(crate) unsafe fn move_over(
    from: *mut c_void,
    length: usize,
    to: *mut c_void,
) -> Result<(), Errno> {
    // SAFETY: the caller's word.
    unsafe { mremap_fixed(from, length, length, MremapFlags::MAYMOVE, to) }.map(drop)
}

/// Makes pages ready, for reading or for writing. A failure is of no concern: the copy that
/// follows meets it and reports it.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are mapped.
pub(crate) unsafe fn prefault(
    address: *mut c_void,
    length: usize,
    for_writing: bool,
) -> Result<(), Errno> {
    let advice = if for_writing { POPULATE_WRITE } else { Advice::LinuxPopulateRead };
    // SAFETY: the caller's promise, and making pages ready changes none of their bytes.
    unsafe { madvise(address, length, advice) }
}

/// Locks pages in memory once they are touched: fails as `mlock` would, and reads nothing in.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are the caller's mapping.
pub(crate) unsafe fn lock_on_fault(address: *mut c_void, length: usize) -> Result<(), Errno> {
    // SAFETY: the caller's promise, and locking changes no page.
    unsafe { mlock_with(address, length, MlockFlags::ONFAULT) }
}

/// Takes pages out of a mapping that is about to go. `munmap` of very many would hold the lock on
/// the address space for as long as it takes; this takes it for reading.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are the caller's mapping,
/// which nobody reads or writes again.
pub(crate) unsafe fn release(address: *mut c_void, length: usize) {
    // SAFETY: the caller's promise. Where it fails, `munmap` does the work.
    let _ = unsafe { madvise(address, length, Advice::LinuxDontNeed) };
}

/// Another range of address space over the pages of a mapping that is shared with its file, without
/// a descriptor of it: `mremap` from a length of 0 leaves the old range where it is. `None` where
/// it can't be done: not for this kind of file, or not in this process any more.
pub(crate) fn map_again(address: *mut c_void, length: usize) -> Option<*mut c_void> {
    // SAFETY: the old range stays as it is, and the new one is where the kernel finds room.
    unsafe { mremap(address, 0, length, MremapFlags::MAYMOVE) }.ok()
}

/// There is no cache to keep a mapping out of: its pages are the cache.
pub(crate) fn nocache(_: &File, _: *mut c_void, _length: usize, _shared: bool, _writable: bool) {}

/// Writes a file's bytes and length to the device.
pub(crate) fn sync_file(file: &File) -> Result<(), Errno> {
    retry_on_intr(|| fdatasync(file))
}

/// `msync` and `fdatasync` have had the device write its cache out.
pub(crate) fn flush_device(_: &File) -> Result<(), Errno> {
    Ok(())
}
