//! What a copy says of a lost page, and how it comes to know exactly.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Faults that became an error, by handler or by system call.
static RECOVERED: AtomicUsize = AtomicUsize::new(0);

/// A page that is gone: how far a copy got, and where it could not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    copied: usize,
    // Not 0, so that a result with it is two registers long.
    address: NonZero<usize>,
}

impl Fault {
    /// A fault, counted.
    pub(crate) fn new(copied: usize, address: usize) -> Self {
        RECOVERED.fetch_add(1, Ordering::Relaxed);
        Self { copied, address: NonZero::new(address).unwrap_or(NonZero::<usize>::MIN) }
    }

    /// So many bytes from the start on are copied: all of them up to the page that is gone.
    ///
    /// Behind them, up to the length asked for, each byte of the destination is either what it was
    /// or what was to be copied there.
    pub fn copied(&self) -> usize {
        self.copied
    }

    /// The first byte of the copy that is gone: it lies [`copied`](Self::copied) bytes into the
    /// source or into the destination. If both have lost it, the source is named.
    pub fn address(&self) -> usize {
        self.address.get()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a mapped page is gone at {:#x}, {} bytes into the copy",
            self.address, self.copied
        )
    }
}

impl std::error::Error for Fault {}

/// How many lost pages in this process became a [`Fault`] so far.
///
/// A forked child starts with its parent's number.
pub fn faults_recovered() -> u64 {
    RECOVERED.load(Ordering::Relaxed) as u64
}

/// What a routine returns, in two registers.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[repr(C)]
pub(crate) struct Left {
    /// So many bytes are left: none, or at least as many as were not copied.
    pub(crate) bytes: usize,
    /// Where it faulted, if bytes are left; else anything.
    pub(crate) address: usize,
}

/// What comes of a copy by `routine`, of which `left` is left.
///
/// # Safety
///
/// As for [`copy`](crate::copy). `how` is what the routine was told.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[inline(always)]
pub(crate) unsafe fn outcome(
    dst: *mut u8,
    src: *const u8,
    len: usize,
    how: usize,
    left: Left,
) -> Result<(), Fault> {
    // SAFETY: the caller's promise.
    if left.bytes == 0 { Ok(()) } else { Err(unsafe { exact(dst, src, len, how, left) }) }
}

/// Copies what there is up to the lost page, so that the fault says exactly how far it is.
///
/// The routine moves up to 128 bytes at once, and those count together: what it says is a lower
/// bound, of a short copy often 0. But the kernel says which page it was, and all in front of that
/// page can be had, by a second copy that ends there. Should the file be cut further meanwhile, the
/// second faults as well, at a lower page; so this ends.
///
/// # Safety
///
/// As for [`outcome`].
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
#[cold]
#[inline(never)]
unsafe fn exact(dst: *mut u8, src: *const u8, len: usize, how: usize, left: Left) -> Fault {
    let page = page_size();
    let mut copied = len - left.bytes;
    let mut address = left.address;
    loop {
        let start = address & !(page - 1);
        let within = |side: usize| address.wrapping_sub(side) < len;
        let side = if within(src.addr()) {
            src.addr()
        } else if within(dst.addr()) {
            dst.addr()
        } else {
            // No system says so, but if one did: a lower bound is the truth too.
            return Fault::new(copied, src.addr() + copied);
        };
        let there = start.saturating_sub(side);
        if there <= copied {
            return Fault::new(copied, side + copied);
        }
        // SAFETY: a part of the caller's two ranges.
        let left = unsafe {
            crate::machine::copy::routine(dst.add(copied), src.add(copied), there - copied, how)
        };
        copied = there - left.bytes;
        if left.bytes == 0 {
            return Fault::new(copied, side + copied);
        }
        address = left.address;
    }
}

/// The size of a page.
pub(crate) fn page_size() -> usize {
    // SAFETY: no memory is involved.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // It can't fail; and no system's page is smaller.
    usize::try_from(size).unwrap_or(4096)
}
