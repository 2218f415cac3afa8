//! A copy by system call, for processors that nobody wrote a routine for.
//!
//! `process_vm_readv` copies from the memory of a process, here our own. The kernel looks the
//! source's pages up one by one and copies them to the destination like any system call copies
//! out its result: where a page of either side is gone it stops and returns what it has so far,
//! or EFAULT. No signal is raised, so no handler is needed.
//!
//! It costs a system call, and the kernel pins every page of the source: about a microsecond at
//! least, and a quarter of the speed on long copies.
//!
//! A process may always read its own memory, whatever Yama or ptrace's rules say about others.
//! But a seccomp filter can forbid the call, and some sandboxes do, since it is meant for
//! debuggers. [`probe`] finds out before the first mapping is made.

// On processors with a routine of their own this file is there for the tests.
#![cfg_attr(any(target_arch = "aarch64", target_arch = "x86_64"), allow(dead_code))]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Fault;
use super::fault::page_size;

/// Finds out if the kernel lets us copy, once.
pub(crate) fn probe() -> io::Result<()> {
    static ALLOWED: AtomicBool = AtomicBool::new(false);
    if ALLOWED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (from, mut to) = (1_u8, 0_u8);
    // SAFETY: one byte each, of this frame.
    let copied = unsafe { read_own(&mut to, &from, 1) }?;
    if (copied, to) != (1, from) {
        return Err(io::Error::other("process_vm_readv doesn't copy within the process"));
    }
    ALLOWED.store(true, Ordering::Relaxed);
    Ok(())
}

/// See [`super::copy`].
///
/// Any error of the kernel is a [`Fault`]. Apart from a lost page that can only be a filter that
/// was set up after [`probe`], or a kernel without memory for a few pointers.
///
/// # Safety
///
/// As for [`super::copy`].
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> Result<(), Fault> {
    let page = page_size();
    let mut copied = 0;
    // The kernel moves up to 2 GiB at once, and stops early in front of a lost page. Whether
    // something stands behind an early stop, only the next call tells.
    while copied < len {
        // SAFETY: the rest of the caller's two ranges.
        if let Ok(more @ 1..) = unsafe { read_own(dst.add(copied), src.add(copied), len - copied) }
        {
            copied += more;
            continue;
        }
        // It doesn't say which side, and may have given up in front of a page that is there. So
        // no further than the next border of either side's pages.
        let left_in_page = |at: usize| page - (at & (page - 1));
        let (from, to) = (src.addr() + copied, dst.addr() + copied);
        let step = left_in_page(from).min(left_in_page(to)).min(len - copied);
        // SAFETY: as above.
        if let Ok(more @ 1..) = unsafe { read_own(dst.add(copied), src.add(copied), step) } {
            copied += more;
            continue;
        }
        let mut byte = 0;
        // SAFETY: a byte of this frame, and one of the source.
        let there = unsafe { read_own(&mut byte, src.add(copied), 1) };
        return Err(Fault::new(copied, if matches!(there, Ok(1)) { to } else { from }));
    }
    Ok(())
}

/// One `process_vm_readv` of our own memory.
///
/// # Safety
///
/// As for [`super::copy`].
unsafe fn read_own(dst: *mut u8, src: *const u8, len: usize) -> io::Result<usize> {
    let local = libc::iovec { iov_base: dst.cast(), iov_len: len };
    // Only read from; `iovec` has no const form.
    let remote = libc::iovec { iov_base: src.cast_mut().cast(), iov_len: len };
    // The pid is asked for each time: after a fork it is another.
    // SAFETY: the caller owns the destination; the kernel checks all the rest.
    let copied = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    usize::try_from(copied).map_err(|_| io::Error::last_os_error())
}
