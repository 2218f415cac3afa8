//! What the kernel says of an address: which file is mapped there, and which part of it.
//!
//! `PROCMAP_QUERY` (Linux 6.11) asks for one mapping without reading the list of them. It wants a
//! descriptor of `/proc/self/maps`, which stands for the address space that it was opened in, so a
//! forked child needs one of its own: it lies in [`own`], and whoever finds none there opens one.
//! All of it may be done in a handler.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::own::{make_room, own};
use super::place::{File, Window};
use crate::fault::page_size;
use crate::system;

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

/// Whether the kernel says what is mapped at an address, so that a lost page is covered only in the
/// very mapping that a watch began with. Otherwise a watch whose memory is gone, and which isn't
/// dropped yet, covers whatever else lost a page there.
pub fn exact() -> bool {
    let here = ptr::from_ref(&PROCMAP_QUERY).addr();
    make_room();
    ask(here).is_some()
}

/// Whether an answer to [`there`] is one. An emulator such as qemu-user says yes to all advice, and does
/// nothing; believed, the instruction would meet the lost page again, for ever.
static ANSWERS: OnceLock<bool> = OnceLock::new();

/// The page at address 0 is none that could be there.
fn answers() -> bool {
    // SAFETY: nothing changes where nothing is mapped.
    unsafe { libc::madvise(ptr::null_mut(), page_size(), libc::MADV_POPULATE_WRITE) != 0 }
}

/// What is mapped at an address. Not for the handler.
pub(super) fn at(address: usize) -> File {
    make_room();
    ANSWERS.get_or_init(answers);
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

/// Whether the page at an address can be read and written after all: then what touched it goes on.
/// For the handler.
///
/// The kernel tries it itself (MADV_POPULATE_WRITE, Linux 5.14), and says so if it would have raised
/// SIGBUS again. Nothing else tells, for also memory without a file may have lost a page that was
/// swapped out, or have somebody who wants a signal for each page that is missing.
pub(super) fn there(page: usize, len: usize) -> bool {
    if ANSWERS.get() == Some(&false) {
        return false;
    }
    let at = ptr::with_exposed_provenance_mut(page);
    // SAFETY: no page changes, except that one which isn't there yet comes.
    let answer = unsafe { libc::madvise(at, len, libc::MADV_POPULATE_WRITE) };
    // Where memory is short, the instruction itself has to find out what comes of it.
    // SAFETY: the pointer is to this thread's `errno`, valid while the thread is.
    answer == 0 || unsafe { *system::errno() } == libc::ENOMEM
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
    let place = &own()?.descriptor;
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
