//! A map of the system's.

use super::{Kind, Part};
use crate::{Advice, MmapRawDescriptor};
use std::io;
use std::os::fd::AsRawFd;

pub(crate) struct Pages {
    /// What was mapped: whole pages.
    mapped: *mut u8,
    length: usize,
    /// Where in it the bytes begin.
    skip: usize,
}

// SAFETY: a map belongs to the process and not to a thread.
unsafe impl Send for Pages {}
// SAFETY: as above; it is reached as any memory.
unsafe impl Sync for Pages {}

impl Pages {
    pub(crate) fn map(file: &MmapRawDescriptor, part: Part, kind: Kind) -> io::Result<Pages> {
        let fd = file.borrow()?.as_raw_fd();
        if kind == Kind::Frozen && !is_frozen(fd) {
            let words = "others can change the file";
            return Err(io::Error::new(io::ErrorKind::Unsupported, words));
        }
        let skip = (part.offset % page() as u64) as usize;
        let length = part.len.checked_add(skip).ok_or(io::ErrorKind::OutOfMemory)?;
        let offset = libc::off_t::try_from(part.offset - skip as u64);
        let offset = offset.map_err(|_| io::ErrorKind::InvalidInput)?;
        let (protection, mut flags) = match kind {
            Kind::Own => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
            Kind::Shared => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
            Kind::Frozen => (libc::PROT_READ, libc::MAP_SHARED),
        };
        #[cfg(target_os = "linux")]
        {
            flags |= libc::MAP_NORESERVE | if part.populate { libc::MAP_POPULATE } else { 0 };
        }
        #[cfg(not(target_os = "linux"))]
        {
            flags |= 0;
        }
        // SAFETY: a new map, at an address that the kernel chooses.
        let mapped =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, fd, offset) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Pages { mapped: mapped.cast(), length, skip })
    }

    pub(crate) fn start(&self) -> *const u8 {
        self.mapped.wrapping_add(self.skip)
    }

    pub(crate) fn flush(&self, offset: usize, len: usize, wait: bool) -> io::Result<()> {
        let (at, len) = self.pages(offset, len);
        let flags = if wait { libc::MS_SYNC } else { libc::MS_ASYNC };
        // SAFETY: inside of what was mapped.
        done(unsafe { libc::msync(at, len, flags) })
    }

    pub(crate) fn advise(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
        let hint = match advice {
            Advice::Normal => libc::MADV_NORMAL,
            Advice::Random => libc::MADV_RANDOM,
            Advice::Sequential => libc::MADV_SEQUENTIAL,
            Advice::WillNeed | Advice::PopulateRead => libc::MADV_WILLNEED,
            _ => return Ok(()),
        };
        let (at, len) = self.pages(offset, len);
        // SAFETY: inside of what was mapped, and none of them loses bytes.
        done(unsafe { libc::madvise(at, len, hint) })
    }

    pub(crate) fn lock(&self, len: usize) -> io::Result<()> {
        let (at, len) = self.pages(0, len);
        lock(at.cast(), len)
    }

    pub(crate) fn unlock(&self, len: usize) -> io::Result<()> {
        let (at, len) = self.pages(0, len);
        unlock(at.cast(), len)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn remap(&mut self, len: usize, may_move: bool) -> io::Result<()> {
        // A map of no bytes would be none.
        let length = len.max(1).checked_add(self.skip).ok_or(io::ErrorKind::OutOfMemory)?;
        let flags = if may_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: all of what was mapped, which nobody has a slice of meanwhile.
        let mapped = unsafe { libc::mremap(self.mapped.cast(), self.length, length, flags) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        (self.mapped, self.length) = (mapped.cast(), length);
        Ok(())
    }

    /// A range with all of its first page.
    fn pages(&self, offset: usize, len: usize) -> (*mut libc::c_void, usize) {
        let at = self.skip + offset;
        let into = at % page();
        (self.mapped.wrapping_add(at - into).cast(), len + into)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: it is nobody's any more.
        unsafe { libc::munmap(self.mapped.cast(), self.length) };
    }
}

/// Keeps memory of the program's in memory.
pub(crate) fn lock(start: *const u8, len: usize) -> io::Result<()> {
    // SAFETY: it changes no byte, and refuses what is not mapped.
    done(unsafe { libc::mlock(start.cast(), len) })
}

pub(crate) fn unlock(start: *const u8, len: usize) -> io::Result<()> {
    // SAFETY: as above.
    done(unsafe { libc::munlock(start.cast(), len) })
}

fn done(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn page() -> usize {
    // SAFETY: it only asks.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // No system lacks an answer.
    usize::try_from(size).unwrap_or(4096)
}

/// Can nobody change the file's bytes any more, nor take them away?
#[cfg(target_os = "linux")]
fn is_frozen(fd: libc::c_int) -> bool {
    const SEALS: libc::c_int = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK;
    // SAFETY: it only asks.
    let seals = unsafe { libc::fcntl(fd, libc::F_GET_SEALS) };
    seals >= 0 && seals & SEALS == SEALS
}

#[cfg(not(target_os = "linux"))]
fn is_frozen(_: libc::c_int) -> bool {
    false
}
