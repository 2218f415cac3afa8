//! What a process has for itself and a forked child must not inherit: a page that the kernel empties
//! in the child (MADV_WIPEONFORK).

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use crate::fault::page_size;

/// What lies in the page; zeros in a new process.
#[derive(Debug)]
pub(super) struct Own {
    /// One more than a descriptor of this address space, or 0: see [`owner`](super::owner). A
    /// parent's stands for the parent's addresses.
    pub(super) descriptor: AtomicI32,
    /// See [`turn`](super::turn). The thread whose turn it was is none of the child's.
    pub(super) turn: AtomicU32,
}

const _: () = assert!(mem::size_of::<Own>() <= 4096 && mem::align_of::<Own>() <= 4096);

static PAGE: AtomicPtr<Own> = AtomicPtr::new(ptr::null_mut());

/// What this process has, once there was room. For the handler too.
pub(super) fn own() -> Option<&'static Own> {
    // SAFETY: null, or the page that `make_room` mapped, which stays. Zeros are a value of it.
    unsafe { PAGE.load(Ordering::Acquire).as_ref() }
}

/// Maps the page, once. If it can't be had there is none.
pub(super) fn make_room() {
    if own().is_some() {
        return;
    }
    let page = page_size();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let at = unsafe { libc::mmap(ptr::null_mut(), page, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return;
    }
    // SAFETY: the page is ours.
    let empties = unsafe { libc::madvise(at, page, libc::MADV_WIPEONFORK) } == 0;
    let null = ptr::null_mut();
    let ours = empties
        && PAGE.compare_exchange(null, at.cast(), Ordering::AcqRel, Ordering::Acquire).is_ok();
    if !ours {
        // SAFETY: nobody else knows it.
        unsafe { libc::munmap(at, page) };
    }
}
