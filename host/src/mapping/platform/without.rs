//! What a system does that has no call of its own for it: what each of them starts from, and
//! replaces where it has more to offer.

use super::length::{check_growth, length_of, max_length, set_len, without_signal};
use crate::error::{Error, ErrorKind};
use crate::guard;
use crate::mapping::LockMode;
#[cfg(not(target_os = "macos"))]
use rustix::fs::fdatasync;
#[cfg(target_os = "macos")]
use rustix::fs::fsync as fdatasync;
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{Advice, MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;

/// There is no advice that reads pages in at once: `willneed` asks for it, and [`prefault`]
/// touches them.
pub(crate) const POPULATE_READ: Option<Advice> = None;

/// The advice that pages are not needed for now. Here it never throws anything away.
pub(crate) const DONT_NEED: Advice = Advice::DontNeed;

/// What `madvise` says where a hint can't be taken.
pub(crate) const HINT_NOT_TAKEN: &[Errno] = &[Errno::INVAL, Errno::FAULT, Errno::AGAIN];

/// Does [`lock_on_fault`] leave pages locked?
pub(crate) const LOCKS_ON_FAULT: bool = false;

/// Makes a file at least `to` bytes long: sparse, since nothing allocates here.
pub(crate) fn raise(file: &File, to: u64) -> Result<(), Error> {
    raise_by(file, to, |_, _| Ok(()))
}

/// Makes a file at least `to` bytes long. `allocate` is given its length and how much is missing,
/// and may raise the length as it goes.
///
/// There is no call that only raises a length: what another process appends between the look at
/// the length and `ftruncate` is cut off. Where `allocate` has raised it, nothing is set.
pub(super) fn raise_by(
    file: &File,
    to: u64,
    allocate: impl FnOnce(u64, u64) -> Result<(), Errno>,
) -> Result<(), Error> {
    let from = length_of(file)?;
    if from >= to {
        return Ok(());
    }
    check_growth(file, to)?;
    without_signal(|| allocate(from, to - from))?;
    if length_of(file)? < to {
        set_len(file, to)?;
    }
    Ok(())
}

/// Empties a file and makes it `length` bytes long, all of them zero.
pub(crate) fn empty(file: &File, _old: u64, length: u64) -> Result<(), Error> {
    empty_by(file, length, raise)
}

/// Empties a file, and lets it grow anew from the space that this has freed.
pub(super) fn empty_by(
    file: &File,
    length: u64,
    raise: impl FnOnce(&File, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    if length > max_length() {
        return Err(ErrorKind::Efbig.into());
    }
    set_len(file, 0)?;
    raise(file, length)
}

/// Do two files of the same identity have the same bytes here? Nobody has looked at this system's
/// file systems yet.
pub(crate) fn keeps_identity(_: &File) -> bool {
    false
}

/// Does nobody but this kernel grant locks on a file? Nobody has looked at this system's file systems yet.
pub(crate) fn has_own_locks(_: &File) -> bool {
    false
}

/// Moves a mapping over another: there is no call for it, and so no windows.
///
/// # Safety
///
/// None; where there is a call, both have to be the caller's.
pub(crate) unsafe fn move_over(_: *mut c_void, _: usize, _: *mut c_void) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Can nobody change a file's bytes any more? Nothing here says so.
pub(crate) fn is_frozen(_: &File) -> bool {
    false
}

/// A copy of a file that nobody can change: there is none.
pub(crate) fn frozen_copy(_: &File) -> Result<File, Error> {
    Err(Error::because(ErrorKind::Enotsup, "this system seals no memory files"))
}

/// The size of the pages that a file is mapped in, where it is not the system's.
pub(crate) fn page_size_of(_: &File) -> Option<usize> {
    None
}

/// Calls `each` with the ranges of a file's first `length` bytes that it has bytes for.
pub(crate) fn for_each_extent(_: &File, length: u64, mut each: impl FnMut(u64, u64)) {
    each(0, length);
}

/// Reads pages in by touching each of them, and stops at the first that is gone.
///
/// For writing it does no more than for reading: the file system may still have to make a place
/// for what is written.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are mapped and stay so.
pub(crate) unsafe fn prefault(
    address: *mut c_void,
    length: usize,
    _for_writing: bool,
) -> Result<(), Errno> {
    let page = rustix::param::page_size();
    for offset in (0..length).step_by(page) {
        let mut byte = 0u8;
        // SAFETY: one byte of a mapped page, and one of our own.
        let touched = unsafe { guard::copy(&mut byte, address.cast::<u8>().add(offset), 1) };
        touched.map_err(|_| Errno::FAULT)?;
    }
    Ok(())
}

/// Fails as locking the pages would. There is no lock that reads nothing in.
///
/// # Safety
///
/// None; elsewhere the pages have to be the caller's.
pub(crate) unsafe fn lock_on_fault(_: *mut c_void, length: usize) -> Result<(), Errno> {
    try_lock(length)
}

/// Finds out if so many bytes may be locked, without touching the file's pages: memory of nobody's
/// is locked and let go again.
fn try_lock(length: usize) -> Result<(), Errno> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let memory = unsafe { mmap_anonymous(ptr::null_mut(), length, access, MapFlags::PRIVATE) }?;
    // SAFETY: the mapping is ours.
    let locked = unsafe { mlock(memory, length) };
    // SAFETY: as above, and nobody else knows of it. It unlocks, too.
    let unmapped = unsafe { munmap(memory, length) };
    locked.and(unmapped)
}

/// Takes pages out of a mapping that is about to go: left to `munmap`.
///
/// # Safety
///
/// None; elsewhere the pages have to be the caller's.
pub(crate) unsafe fn release(_: *mut c_void, _length: usize) {}

/// Another range of address space over the pages of a mapping, without a descriptor of its file:
/// there is none.
pub(crate) fn map_again(_: *mut c_void, _length: usize) -> Option<*mut c_void> {
    None
}

/// There is no cache to keep a mapping out of: its pages are the cache.
pub(crate) fn nocache(_: &File, _: *mut c_void, _length: usize, _shared: bool, _writable: bool) {}

/// The same file with an open file description of its own: there is no way to it but its name.
pub(crate) fn reopen(_: &File, _writable: bool) -> Result<File, Error> {
    Err(Error::because(ErrorKind::Enotsup, "this system opens no file again without its name"))
}

/// There are no locks of open file descriptions.
pub(crate) fn set_lock(
    _: &File,
    _: &std::ops::Range<u64>,
    _: Option<LockMode>,
) -> Result<bool, Errno> {
    Err(Errno::NOTSUP)
}

/// Nor could there be one.
pub(crate) fn would_lock(_: &File, _: &std::ops::Range<u64>, _: LockMode) -> Result<bool, Errno> {
    Err(Errno::NOTSUP)
}

/// Nobody can wait on a word of a shared map.
pub(crate) const HAS_FUTEXES: bool = false;

/// Nobody waits.
pub(crate) fn wait_on(_: *mut u32, _: u32, _: Option<std::time::Duration>) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// And nobody is woken.
pub(crate) fn wake(_: *mut u32, _: u32) -> Result<u32, Errno> {
    Err(Errno::NOTSUP)
}

/// Writes a file's bytes and length to the device.
pub(crate) fn sync_file(file: &File) -> Result<(), Errno> {
    retry_on_intr(|| fdatasync(file))
}

/// `msync` and `fdatasync` have had the device write its cache out.
pub(crate) fn flush_device(_: &File) -> Result<(), Errno> {
    Ok(())
}

/// There are no holes to be made.
pub(crate) fn punch_hole(_: &File, _: u64, _: u64) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Nor zeros without writing them.
pub(crate) fn zero_range(_: &File, _: u64, _: u64) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// Nothing allocates in the middle of a file without touching its bytes.
pub(crate) fn allocate(_: &File, _: u64, _: u64) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}

/// A file that nobody else has, for regions of shared memory: one of the directory for temporary files,
/// that has lost its name.
pub(crate) fn memory_file() -> Result<File, Error> {
    const TRIES: usize = 16;
    for _ in 0..TRIES {
        // Seeded by the system.
        let number = RandomState::new().hash_one(std::process::id());
        let path = std::env::temp_dir().join(format!("iommap-{number:016x}"));
        let mut options = File::options();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
        }
    }
    Err(ErrorKind::Eexist.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    fn file(contents: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(contents).unwrap();
        file
    }

    fn contents(file: &mut File) -> Vec<u8> {
        let mut contents = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut contents).unwrap();
        contents
    }

    #[test]
    fn an_allocation_that_fails_halfway_leaves_what_it_has_come_to() {
        let mut file = file(b"old");
        let halfway = file.try_clone().unwrap();
        let failed = raise_by(&file, 8, |from, more| {
            assert_eq!((from, more), (3, 5));
            halfway.set_len(5).unwrap();
            Err(Errno::NOSPC)
        });
        assert_eq!(failed.unwrap_err(), ErrorKind::Enospc);
        assert_eq!(contents(&mut file), b"old\0\0");
        raise(&file, 8).unwrap();
        assert_eq!(contents(&mut file), b"old\0\0\0\0\0");
    }

    #[test]
    fn what_others_added_during_the_allocation_stays() {
        let mut file = file(b"old");
        let mut other = file.try_clone().unwrap();
        raise_by(&file, 8, |_, _| {
            other.write_all(b"theirs").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(contents(&mut file), b"oldtheirs");
    }

    #[test]
    fn a_memory_file_has_no_name_and_is_as_long_as_it_is_made() {
        use std::os::unix::fs::MetadataExt;
        let mut file = memory_file().unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        raise(&file, 5).unwrap();
        assert_eq!(contents(&mut file), [0; 5]);
    }

    #[test]
    fn an_emptied_file_has_its_length_and_zeros() {
        let mut file = file(b"contents");
        empty(&file, 8, 5).unwrap();
        assert_eq!(contents(&mut file), [0; 5]);
        empty(&file, 5, 0).unwrap();
        assert_eq!(contents(&mut file), b"");
    }

    #[test]
    fn a_lost_page_ends_the_prefault_and_not_the_process() {
        guard::install().unwrap();
        let page = rustix::param::page_size();
        let file = file(&vec![1; 3 * page]);
        let map = memmap2::MmapOptions::new().len(3 * page).map_raw(&file).unwrap();
        file.set_len(page as u64).unwrap();
        // SAFETY: the mapping's own pages.
        let prefaulted = unsafe { prefault(map.as_mut_ptr().cast(), 3 * page, false) };
        assert_eq!(prefaulted, Err(Errno::FAULT));
    }

    #[test]
    fn trying_to_lock_keeps_nothing() {
        for _ in 0..1000 {
            assert_eq!(try_lock(rustix::param::page_size()), Ok(()));
        }
    }
}
