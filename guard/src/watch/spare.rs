//! Ranges of addresses held back for the handler.
//!
//! A process that has used up its ranges (`vm.max_map_count`) by `mmap` is one above the number at
//! which `mmap` refuses, and then it refuses also to put zeros over what is mapped, which takes no
//! range more. So a few are kept: the handler gives one back and tries again.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::fault::page_size;

/// Others may take what was given back before the handler does, and not every window joins its
/// zeros to the memory behind it.
const SPARE: usize = 16;

/// A page each that nobody touches.
static PAGES: [AtomicPtr<libc::c_void>; SPARE] = [const { AtomicPtr::new(ptr::null_mut()) }; SPARE];

/// Takes as many as there should be, if they can be had. Not for the handler.
pub(super) fn keep() {
    for place in PAGES.iter().filter(|place| place.load(Ordering::Relaxed).is_null()) {
        // Shared, so that the kernel doesn't join it to its neighbours.
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let page =
            unsafe { libc::mmap(ptr::null_mut(), page_size(), libc::PROT_NONE, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return;
        }
        let null = ptr::null_mut();
        if place.compare_exchange(null, page, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            unmap(page);
        }
    }
}

/// Gives one back; says if there was one. For the handler.
pub(super) fn release() -> bool {
    let taken = PAGES.iter().map(|place| place.swap(ptr::null_mut(), Ordering::AcqRel));
    let found = taken.into_iter().find(|page| !page.is_null());
    found.is_some_and(unmap)
}

fn unmap(page: *mut libc::c_void) -> bool {
    // SAFETY: a page of ours that nobody else knows any more.
    unsafe { libc::munmap(page, page_size()) == 0 }
}
