//! Pages of a file in this process's address space: mapped when made, unmapped when dropped.

use super::platform;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::ptr;

/// How the pages relate to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protection {
    SharedRead,
    SharedWrite,
    PrivateRead,
    PrivateWrite,
}

impl Protection {
    pub(super) fn is_private(self) -> bool {
        matches!(self, Protection::PrivateRead | Protection::PrivateWrite)
    }

    pub(super) fn is_writable(self) -> bool {
        matches!(self, Protection::SharedWrite | Protection::PrivateWrite)
    }
}

/// How much is worked on at a time where the process's address space is locked meanwhile: no other
/// `mmap` of the process waits for more than a few megabytes.
const PIECE: usize = 4 << 20;

/// A range of address space over a file.
#[derive(Debug)]
pub(crate) struct Pages {
    address: *mut u8,
    len: usize,
}

// SAFETY: an address and a length, which stay as they are; what is done with the bytes there is for
// whoever does it to make right.
unsafe impl Send for Pages {}
// SAFETY: as for `Send`.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `len` bytes of a file, at least 1, from a page on (`mmap`).
    pub(super) fn map(
        file: &File,
        start: u64,
        len: usize,
        protection: Protection,
    ) -> Result<Pages, Errno> {
        let mut access = ProtFlags::READ;
        if protection.is_writable() {
            access |= ProtFlags::WRITE;
        }
        let mut flags = MapFlags::SHARED;
        if protection.is_private() {
            flags = MapFlags::PRIVATE;
            // What may be written is limited elsewhere: swap for all of it is not needed.
            #[cfg(target_os = "linux")]
            {
                flags |= MapFlags::NORESERVE;
            }
        }
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let address = unsafe { mmap(ptr::null_mut(), len, access, flags, file, start) }?;
        Ok(Pages { address: address.cast(), len })
    }

    /// Another range over the same pages, which must be shared with the file; `None` where the
    /// system can't.
    pub(super) fn again(&self) -> Option<Pages> {
        let address = platform::map_again(self.address.cast(), self.len)?;
        Some(Pages { address: address.cast(), len: self.len })
    }

    /// Where they begin. For as long as this value lives, `len` bytes from there on are mapped.
    #[inline]
    pub(super) fn address(&self) -> *mut u8 {
        self.address
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let address = self.address.cast();
        if self.len > PIECE {
            for (address, len) in pieces(address, self.len) {
                // SAFETY: the pages are this value's, and nobody has it any more.
                unsafe { platform::release(address, len) };
            }
        }
        // SAFETY: likewise. It fails for no range that was mapped as a whole.
        let unmapped = unsafe { munmap(address, self.len) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// A range in pieces of a few megabytes, each beginning on a page.
pub(super) fn pieces(
    address: *mut c_void,
    len: usize,
) -> impl Iterator<Item = (*mut c_void, usize)> {
    (0..len).step_by(PIECE).map(move |at| (address.wrapping_byte_add(at), PIECE.min(len - at)))
}
