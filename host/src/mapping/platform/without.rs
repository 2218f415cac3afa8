//! What a system does that has no call of its own for it.

use super::length::{length_of, max_length, set_len};
use crate::error::Error;
use crate::guard;
use memmap2::MmapOptions;
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
    clear_behind(file, from);
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

/// Zeroes what a mapping has written behind the end of a file, in its last page: it would be the
/// file's when the file grows.
///
/// The systems leave that page alone when a file grows (`ubc_setsize_ex` in XNU,
/// `vnode_pager_setsize` in FreeBSD, `uvm_vnp_setsize` in OpenBSD); of their file systems some see
/// to it and some don't. It is done through a mapping, because only that reaches the page which
/// other mappings have: OpenBSD's `write` has a cache of its own.
///
/// It is a wish: where the page can't be looked at, the file grows all the same.
fn clear_behind(file: &File, end: u64) {
    let page = rustix::param::page_size();
    // Less than a page, so it is not cut.
    let within = (end % page as u64) as usize;
    if within == 0 || guard::install().is_err() {
        return;
    }
    let mut last = MmapOptions::new();
    last.offset(end - within as u64).len(page);
    let Ok(map) = last.map_raw(file) else { return };
    let behind = map.as_mut_ptr().wrapping_add(within);
    let mut bytes = vec![0; page - within];
    // SAFETY: the rest of the mapped page and a vector of that length, which is ours.
    let read = unsafe { guard::copy(bytes.as_mut_ptr(), behind, bytes.len()) };
    // A page that is clean stays so: the device has nothing to write then.
    if read.is_err() || bytes.iter().all(|byte| *byte == 0) {
        return;
    }
    bytes.fill(0);
    // What others have put there since is the file's, and stays.
    if length_of(file).is_ok_and(|now| now == end) {
        // SAFETY: as above; the map is writable, and no reference to its bytes is ever made.
        let _ = unsafe { guard::copy(behind, bytes.as_ptr(), bytes.len()) };
    }
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

    /// tmpfs keeps what is written behind the end, as the file systems of other systems may.
    #[cfg(target_os = "linux")]
    #[test]
    fn given_bytes_that_a_mapping_wrote_behind_the_end_when_grown_then_they_are_zero() {
        let page = rustix::param::page_size();
        let Ok(mut file) = tempfile::tempfile_in("/dev/shm") else {
            eprintln!("skipped: no /dev/shm");
            return;
        };
        for end in [1, 10, page - 1, page, page + 1, 2 * page - 1] {
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            file.write_all(&vec![1; end]).unwrap();
            let whole = end.next_multiple_of(page);
            let mut map = map_of(&file, whole);
            map[end..].fill(2);
            assert_eq!(grow(&file, end as u64, 3 * page as u64, || Ok(())), Ok(()));
            let mut expected = vec![1; end];
            expected.resize(3 * page, 0);
            assert!(contents(&mut file) == expected, "{end}");
            assert!(map[..] == expected[..whole], "{end}: the mapping sees it too");
        }
    }

    /// What was written where `from` says the file ends, but it doesn't, belongs to the file.
    #[test]
    fn given_a_file_that_others_made_longer_when_grown_then_nothing_of_it_is_cleared() {
        let mut file = file(b"theirs");
        assert_eq!(grow(&file, 3, 8, || Ok(())), Ok(()));
        assert_eq!(contents(&mut file), b"theirs\0\0");
    }

    #[cfg(target_os = "linux")]
    fn map_of(file: &File, length: usize) -> memmap2::MmapMut {
        // SAFETY: a file without a name, which nobody but the test has.
        unsafe { MmapOptions::new().len(length).map_mut(file) }.unwrap()
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
