//! What a system does that has no call of its own for it.

use super::length::{length_of, max_length, set_len};
use crate::error::Error;
use crate::guard;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::ptr;

/// Makes a file `to` bytes long by what `allocate` does, `from` being its length, and leaves it
/// as it was if that fails.
///
/// Where `allocate` sets the length as well, as `posix_fallocate` does, it may have come to a
/// part of it. That part is cut off again, with whatever somebody else has put there meanwhile.
pub(super) fn grow(
    file: &File,
    from: u64,
    to: u64,
    allocate: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Error> {
    let grown = super::length::check_growth(file, to).and_then(|()| allocate());
    grown.and_then(|()| set_len(file, to)).map_err(|errno| {
        // Setting the length gives back the blocks behind it. Nothing can be done if that fails
        // too: the file is longer than it was, with zeros, and nothing is lost.
        if let Ok(now) = length_of(file) {
            let _ = set_len(file, now.min(from));
        }
        Error::from(errno)
    })
}

/// Makes a file `length` bytes long, all of them zero, by emptying it and letting it `grow` anew,
/// from the space that this has freed.
///
/// A file that is to be longer than it was has been made so before, with its blocks allocated:
/// what may fail for want of space has failed by then, while the old contents still stood.
pub(super) fn empty(
    file: &File,
    length: u64,
    grow: impl FnOnce(&File, u64, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    if length > max_length() {
        return Err(Error::FBig);
    }
    set_len(file, 0)?;
    if length > 0 { grow(file, 0, length) } else { Ok(()) }
}

/// Reads pages in by touching each of them, and stops at the first that is gone.
///
/// For writing it does no more than for reading: the file system may still have to make a place
/// for what is written.
///
/// # Safety
///
/// `address` is the start of a page, and `length` bytes from there on are mapped and stay so.
pub(super) unsafe fn prefault(address: *mut c_void, length: usize, _for_writing: bool) {
    let page = rustix::param::page_size();
    for offset in (0..length).step_by(page) {
        let mut byte = 0u8;
        // SAFETY: one byte of a mapped page, and one of our own.
        let touched = unsafe { guard::copy(&mut byte, address.cast::<u8>().add(offset), 1) };
        if touched.is_err() {
            return;
        }
    }
}

/// Finds out if so many bytes may be locked, without touching the file's pages: memory of nobody's
/// is locked and let go again.
pub(super) fn try_lock(length: usize) -> Result<(), Errno> {
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let memory = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            length,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    }?;
    // SAFETY: the mapping is ours.
    let locked = unsafe { mlock(memory, length) };
    // SAFETY: as above, and nobody else knows of it. It unlocks, too.
    let unmapped = unsafe { munmap(memory, length) };
    locked.and(unmapped)
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
    fn given_an_allocation_that_fails_halfway_when_grown_then_the_file_is_as_it_was() {
        let mut file = file(b"old");
        let halfway = file.try_clone().unwrap();
        let failed = grow(&file, 3, 8, || {
            halfway.set_len(5).unwrap();
            Err(Errno::NOSPC)
        });
        assert_eq!(failed, Err(Error::NoSpc));
        assert_eq!(contents(&mut file), b"old");
        assert_eq!(grow(&file, 3, 8, || Ok(())), Ok(()));
        assert_eq!(contents(&mut file), b"old\0\0\0\0\0");
    }

    #[test]
    fn given_a_file_when_emptied_then_it_has_its_length_and_zeros() {
        let mut file = file(b"contents");
        let sparse = |file: &File, _, to| Ok(set_len(file, to)?);
        assert_eq!(empty(&file, 5, sparse), Ok(()));
        assert_eq!(contents(&mut file), [0; 5]);
        assert_eq!(empty(&file, 0, |_, _, _| unreachable!("nothing to grow")), Ok(()));
        assert_eq!(contents(&mut file), b"");
    }

    #[test]
    fn given_a_mapping_when_prefaulted_then_a_lost_page_ends_it_and_not_the_process() {
        guard::install().unwrap();
        let page = rustix::param::page_size();
        let file = file(&vec![1; 3 * page]);
        let map = memmap2::MmapOptions::new().len(3 * page).map_raw(&file).unwrap();
        file.set_len(page as u64).unwrap();
        let before = guard::faults_recovered();
        // SAFETY: the mapping's own pages.
        unsafe { prefault(map.as_mut_ptr().cast(), 3 * page, false) };
        // Other tests of this program may lose pages at the same time.
        assert!(guard::faults_recovered() > before);
    }

    #[test]
    fn given_a_page_when_it_may_be_locked_then_trying_says_so_and_keeps_nothing() {
        for _ in 0..1000 {
            assert_eq!(try_lock(rustix::param::page_size()), Ok(()));
        }
    }
}
