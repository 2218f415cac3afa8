//! Linux: growth by `fallocate`, prefaulting by `MADV_POPULATE_READ`, locking by `mlock2`.

use super::length::{check_growth, length_of, max_length, set_len};
use crate::error::Error;
use memmap2::MmapRaw;
use rustix::fs::{FallocateFlags, fallocate, fdatasync};
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{Advice, MlockFlags, madvise, mlock_with};
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

/// How `open` refuses a socket.
pub(crate) const OPENED_SOCKET: Errno = Errno::NXIO;

/// Makes a file `to` bytes long, `from` being its length, with every block allocated, so that
/// a full disk is an error now and not a signal later.
///
/// The blocks are allocated behind the end of the file first and its length is set last: a
/// failure leaves the length alone. A file system that can't allocate gets a sparse file.
pub(crate) fn grow(file: &File, from: u64, to: u64) -> Result<(), Error> {
    clear_behind(file, from);
    let grown = match allocate(file, from, to) {
        Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS) => set_len(file, to),
        Err(errno) => Err(errno),
    };
    grown.map_err(|errno| {
        // Setting the length that the file has gives back the blocks behind its end. Nothing
        // can be done if that fails too: the length is right all the same.
        if let Ok(now) = length_of(file) {
            let _ = set_len(file, now);
        }
        Error::from(errno)
    })
}

/// Zeroes what a mapping has written behind the end of a file, in its last page. File systems
/// on a device do so by themselves when the file grows; tmpfs does not.
fn clear_behind(file: &File, end: u64) {
    let page = rustix::param::page_size() as u64;
    let behind = end.next_multiple_of(page) - end;
    // What others have put there since is the file's, and stays.
    if behind > 0 && length_of(file).is_ok_and(|now| now == end) {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // A file system that can't has its own way to keep this promise, or none.
        let _ = retry_on_intr(|| fallocate(file, punch, end, behind));
    }
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

fn allocate(file: &File, from: u64, to: u64) -> Result<(), Errno> {
    check_growth(file, to)?;
    retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, from, to - from))
}

/// Makes pages ready, for reading or for writing. A failure is of no concern: the copy that
/// follows meets it and reports it.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are mapped.
pub(crate) unsafe fn prefault(address: *mut c_void, length: usize, for_writing: bool) {
    let advice = if for_writing { Some(POPULATE_WRITE) } else { POPULATE_READ };
    if let Some(advice) = advice {
        // SAFETY: the caller's promise, and making pages ready changes none of their bytes.
        let _ = unsafe { madvise(address, length, advice) };
    }
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
