//! What the kernel says of an address: which file is mapped there, and which part of it.
//!
//! `PROCMAP_QUERY` (Linux 6.11) asks for one mapping without reading the list of them. It wants a
//! descriptor of `/proc/self/maps`, which stands for the address space that it was opened in, so a
//! forked child needs one of its own. The descriptor lies in a page that the kernel empties in a
//! forked child (MADV_WIPEONFORK): whoever finds none there opens one. All of it may be done in a
//! handler.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use super::place::Window;
use crate::fault::page_size;

/// What is mapped at an address. Nothing that is known of, if the inode is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Where in the file the address is.
    pub(super) offset: u64,
}

/// What stands where a window is supposed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// The part of the file that the watch began with.
    Window,
    /// Memory without a file, such as the zeros that a window is covered with.
    Zeros,
    /// Another file, or another part of it.
    Other,
    /// The kernel didn't say, now or when the watch began.
    Untold,
}

/// The kernel's `struct procmap_query`.
#[derive(Default)]
#[repr(C)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    protection: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device_major: u32,
    device_minor: u32,
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: u64 = 3 << 30 | (size_of::<Query>() as u64) << 16 | 0x66 << 8 | 17;

/// Where the descriptor is: one more than it, or 0 if there is none.
static DESCRIPTOR: AtomicPtr<AtomicI32> = AtomicPtr::new(ptr::null_mut());

/// Whether the kernel says what is mapped at an address, so that a lost page is covered only in the
/// very mapping that a watch began with. Otherwise a watch whose memory is gone, and which isn't
/// dropped yet, covers whatever else lost a page there.
pub fn exact() -> bool {
    let here = ptr::from_ref(&DESCRIPTOR).addr();
    make_room();
    ask(here).is_some()
}

/// What is mapped at an address. Not for the handler.
pub(super) fn at(address: usize) -> File {
    make_room();
    ask(address).unwrap_or_default()
}

/// Whether a window's file still stands at an address in it. For the handler.
pub(super) fn stands(window: &Window, address: usize) -> Stands {
    if window.file.inode == 0 {
        return Stands::Untold;
    }
    let Some(now) = ask(address) else { return Stands::Untold };
    let within = (address - window.range.start) as u64;
    if now.inode == 0 {
        Stands::Zeros
    } else if now == (File { offset: window.file.offset + within, ..window.file }) {
        Stands::Window
    } else {
        Stands::Other
    }
}

/// Asks the kernel; `None` if it doesn't say. For the handler too.
fn ask(address: usize) -> Option<File> {
    let descriptor = descriptor()?;
    let size = size_of::<Query>() as u64;
    let mut query = Query { size, address: address as u64, ..Query::default() };
    // SAFETY: the kernel writes as much as `size` says. Of a descriptor that somebody closed, and
    // that is another file now, it says that it doesn't know such a command.
    let answer = unsafe {
        libc::syscall(libc::SYS_ioctl, descriptor, PROCMAP_QUERY, ptr::from_mut(&mut query))
    };
    (answer == 0).then(|| File {
        device: u64::from(query.device_major) << 32 | u64::from(query.device_minor),
        inode: query.inode,
        offset: query.offset.wrapping_add((address as u64).wrapping_sub(query.start)),
    })
}

/// The descriptor of this process, opened if need be. For the handler too.
fn descriptor() -> Option<libc::c_int> {
    // SAFETY: null, or the place in the page that `make_room` mapped, which stays.
    let place = unsafe { DESCRIPTOR.load(Ordering::Acquire).as_ref() }?;
    let known = place.load(Ordering::Acquire);
    if known != 0 {
        return Some(known - 1);
    }
    // By this thread's name: the first one may have ended. Not by `open`, at which a thread can be
    // cancelled.
    let (path, flags) = (c"/proc/thread-self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
    // SAFETY: a string that ends with 0.
    let opened = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags) };
    let opened = libc::c_int::try_from(opened).ok().filter(|opened| *opened >= 0)?;
    match place.compare_exchange(0, opened + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(opened),
        Err(others) => {
            // SAFETY: it is ours, and nobody else knows it.
            unsafe { libc::syscall(libc::SYS_close, opened) };
            Some(others - 1)
        }
    }
}

/// Maps the page for the descriptor, once. If it can't be had nothing is asked.
fn make_room() {
    if !DESCRIPTOR.load(Ordering::Acquire).is_null() {
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
    const { assert!(mem::align_of::<AtomicI32>() <= 4096) };
    // SAFETY: the page is ours.
    let empties = unsafe { libc::madvise(at, page, libc::MADV_WIPEONFORK) } == 0;
    let null = ptr::null_mut();
    let ours = empties
        && DESCRIPTOR
            .compare_exchange(null, at.cast(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
    if !ours {
        // SAFETY: nobody else knows it.
        unsafe { libc::munmap(at, page) };
    }
}
