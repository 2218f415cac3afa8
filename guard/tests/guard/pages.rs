//! A mapped file whose pages can be taken away.
//!
//! The mapped bytes are touched by raw pointers only, never by a reference: they change behind
//! the compiler's back. What the file contains is checked by reading the file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;

/// A shared, writable mapping of a file.
pub(crate) struct Pages {
    file: File,
    at: *mut u8,
    len: usize,
}

// SAFETY: a mapping belongs to the process and not to a thread. Whoever copies from several
// threads does so by raw pointers.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps a new file of `len` bytes that contains [`pattern`].
    pub(crate) fn new(len: usize) -> Self {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&patterned(0, len), 0).unwrap();
        Self::map(file, len)
    }

    /// Maps the first `len` bytes of `file`.
    pub(crate) fn map(file: File, len: usize) -> Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe {
            let fd = file.as_raw_fd();
            libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, fd, 0)
        };
        assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        Self { file, at: at.cast(), len }
    }

    /// The address of the byte at `offset`, which may be lost.
    pub(crate) fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.len);
        // SAFETY: within the mapping or at its end.
        unsafe { self.at.add(offset) }
    }

    /// Makes the file `len` bytes long: pages behind that are lost, new ones are zeros.
    pub(crate) fn set_len(&self, len: usize) {
        self.file.set_len(len as u64).unwrap();
    }

    /// Writes to the file, not by the mapping.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset as u64).unwrap();
    }

    /// Reads from the file, not by the mapping.
    pub(crate) fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset as u64).unwrap();
        bytes
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.at.cast(), self.len) };
    }
}

/// What byte `offset` of a file contains: nothing that repeats at a power of two, and never zero,
/// which is what a hole contains.
pub(crate) fn pattern(offset: usize) -> u8 {
    (offset % 251) as u8 + 1
}

/// `len` bytes of [`pattern`], from `offset` on.
pub(crate) fn patterned(offset: usize, len: usize) -> Vec<u8> {
    (offset..offset + len).map(pattern).collect()
}

/// The size of a page.
pub(crate) fn page() -> usize {
    rustix::param::page_size()
}
