//! Files that the program has open.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// A file that the program has open, by its number in the C library.
#[derive(Clone)]
pub struct MmapRawDescriptor(RawFd);

/// What stands for an open file.
pub trait MmapAsRawDesc {
    /// Its number in the C library.
    fn as_raw_desc(&self) -> MmapRawDescriptor;
}

impl MmapAsRawDesc for RawFd {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(*self)
    }
}

impl<T: AsRawFd> MmapAsRawDesc for &T {
    fn as_raw_desc(&self) -> MmapRawDescriptor {
        MmapRawDescriptor(self.as_raw_fd())
    }
}

impl MmapRawDescriptor {
    /// For as long as the caller has it open.
    pub(crate) fn borrow(&self) -> io::Result<BorrowedFd<'_>> {
        if self.0 < 0 {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        // SAFETY: the file is open as long as what gave the number is borrowed; and a number that is
        // none any more is refused by the C library.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }

    /// How long the file is.
    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.stat()?.st_size as u64)
    }

    /// What tells the file from others.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = self.stat()?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn stat(&self) -> io::Result<libc::stat> {
        // SAFETY: all zeros is a `stat`, which is made of numbers.
        let mut stat: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: `stat` is ours.
        if unsafe { libc::fstat(self.0, &raw mut stat) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat)
    }
}
