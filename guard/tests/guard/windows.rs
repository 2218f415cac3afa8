//! Windows: a lost page becomes zeros, whoever touches it, and nobody else's does.
//!
//! Only where there is a handler that covers them.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::Ordering;

use crate::child::in_child;
use crate::handlers::*;
use crate::pages::{page, pattern, patterned};
use iommap_guard as guard;
use iommap_guard::watch::{self, Refused, Watch};

/// wasm's page, of which a guest's windows are multiples.
const UNIT: usize = 64 * 1024;

/// A place of a program's own memory with a window on a file in it: the file's pages in front, and
/// behind them at least a page that is the program's, as a guest has it.
pub(crate) struct Window {
    pub(crate) file: File,
    /// What was mapped, in which the place lies.
    mapped: *mut u8,
    pub(crate) at: *mut u8,
    units: usize,
}

// SAFETY: a mapping belongs to the process and not to a thread.
unsafe impl Send for Window {}
// SAFETY: as above; it is touched by raw pointers only.
unsafe impl Sync for Window {}

impl Window {
    /// A place of `units`, with a file all over it but for the last page.
    pub(crate) fn new(units: usize) -> Self {
        let window = Self::reserve(units);
        window.file.write_all_at(&patterned(0, window.shown()), 0).unwrap();
        window.show(&window.file, libc::MAP_PRIVATE, 0);
        window
    }

    pub(crate) fn reserve(units: usize) -> Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let mapped =
            unsafe { libc::mmap(ptr::null_mut(), (units + 1) * UNIT, protection, flags, -1, 0) };
        assert_ne!(mapped, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let mapped = mapped.cast::<u8>();
        // On a page, and on nothing that is larger: a guest's memory begins where the kernel puts it.
        let at = mapped.wrapping_add(mapped.align_offset(UNIT) + page());
        // SAFETY: the last word of the place.
        unsafe { at.add(units * UNIT - 8).cast::<u64>().write(TOKEN) };
        Self { file: tempfile::tempfile().unwrap(), mapped, at, units }
    }

    /// The bytes that the file has in it.
    pub(crate) fn shown(&self) -> usize {
        self.units * UNIT - page()
    }

    /// Maps a file from `offset` on where the window is.
    pub(crate) fn show(&self, file: &File, flags: libc::c_int, offset: usize) {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let (fd, offset) = (file.as_raw_fd(), offset as libc::off_t);
        // SAFETY: over a part of our own mapping.
        let at = unsafe { libc::mmap(self.at.cast(), self.shown(), protection, flags, fd, offset) };
        assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.at.addr()..self.at.addr() + self.units * UNIT
    }

    pub(crate) fn watch(&self, owner: usize) -> Result<Watch, Refused> {
        // SAFETY: it stays for longer, and no reference into it is made.
        unsafe { Watch::new(self.range(), owner) }
    }

    pub(crate) fn cut(&self, len: usize) {
        self.file.set_len(len as u64).unwrap();
    }

    pub(crate) fn byte(&self, offset: usize) -> u8 {
        assert!(offset < self.units * UNIT);
        touch(self.at.wrapping_add(offset))
    }

    pub(crate) fn token(&self) -> u64 {
        let at = self.at.wrapping_add(self.units * UNIT - 8);
        // SAFETY: the last word of the place.
        unsafe { at.cast::<u64>().read_volatile() }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.mapped.cast(), (self.units + 1) * UNIT) };
    }
}

const TOKEN: u64 = 0x0123_4567_89ab_cdef;

#[test]
fn a_lost_page_becomes_zeros_to_the_windows_end() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(4);
        let watch = window.watch(1).unwrap();
        assert_eq!((window.byte(UNIT + 5), window.token()), (pattern(UNIT + 5), TOKEN));
        window.cut(UNIT + page());
        assert_eq!((watch.lost(), window.token()), (0, TOKEN));

        assert_eq!(window.byte(2 * UNIT + 17), 0);
        assert_eq!((watch.lost(), window.token()), (1, 0));
        assert_eq!(window.byte(3 * UNIT), 0);
        assert_eq!(watch.lost(), 1, "it was covered to the end");
        assert_eq!(window.byte(UNIT + 5), pattern(UNIT + 5), "what is there still is");
        assert_eq!(window.byte(UNIT + page() + 1), 0, "lost in front of what was covered");
        assert_eq!((watch.lost(), guard::watch::faults_covered()), (2, 2));
        assert_eq!(guard::faults_recovered(), 0);
    })
    .assert_done();
}

#[test]
fn stores_and_copies_into_a_lost_page_go_on_and_stay_in_memory() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(2);
        window.show(&window.file, libc::MAP_SHARED, 0);
        let watch = window.watch(1).unwrap();
        window.cut(0);
        let from = patterned(0, 5000);
        // SAFETY: mapped; the errno is this thread's.
        unsafe {
            *libc::__errno_location() = 5;
            ptr::copy_nonoverlapping(from.as_ptr(), window.at.add(100), from.len());
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(5));
            window.at.add(60_000).write_bytes(7, 20_000);
        }
        assert!((0..5000).all(|at| window.byte(100 + at) == pattern(at)));
        assert_eq!((window.byte(60_000), window.byte(79_999), window.byte(80_000)), (7, 7, 0));
        assert_eq!(watch.lost(), 1);
        assert_eq!(window.file.metadata().unwrap().len(), 0);
    })
    .assert_done();
}

#[test]
fn a_guarded_copy_of_a_windows_lost_page_is_a_fault() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(2);
        let watch = window.watch(1).unwrap();
        window.cut(page());
        let mut to = vec![0; 2 * page()];
        // SAFETY: a buffer of two pages, and as much of the window.
        let result = unsafe { guard::copy(to.as_mut_ptr(), window.at, to.len()) };
        assert_eq!(result.unwrap_err().copied(), page());
        // SAFETY: as above.
        let result = unsafe { guard::copy(window.at, to.as_ptr(), to.len()) };
        assert_eq!(result.unwrap_err().address(), window.at.addr() + page());
        // SAFETY: a word of the window.
        let word = unsafe { guard::atomic::load(window.at.add(UNIT).cast::<u64>()) };
        assert!(word.is_err());
        assert_eq!((watch.lost(), window.token()), (0, TOKEN));
    })
    .assert_done();
}

#[test]
fn what_grows_back_is_seen_once_the_window_is_renewed() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(2);
        let mut watch = window.watch(1).unwrap();
        let other = tempfile::tempfile().unwrap();
        other.write_all_at(&patterned(7, 2 * UNIT), 0).unwrap();
        for round in 0..20 {
            window.cut(0);
            assert_eq!((window.byte(9), watch.lost()), (0, 1), "{round}");
            window.file.write_all_at(&patterned(0, window.shown()), 0).unwrap();
            assert_eq!((window.byte(9), watch.lost()), (0, 1), "{round}: covered until it moves");
            window.show(&other, libc::MAP_PRIVATE, page());
            // SAFETY: as for `Window::watch`; nobody touched it.
            unsafe { watch.renew() };
            assert_eq!((window.byte(9), watch.lost()), (pattern(page() + 16), 0), "{round}");
            window.show(&window.file, libc::MAP_PRIVATE, 0);
            // SAFETY: as above.
            unsafe { watch.renew() };
            assert_eq!((window.byte(9), watch.lost()), (pattern(9), 0), "{round}");
        }
    })
    .assert_done();
}

#[test]
fn a_lost_page_beside_a_window_is_the_predecessors() {
    in_child(|| {
        handle(with_info_address(), libc::SA_SIGINFO, &[]);
        guard::install().unwrap();
        let window = Window::new(2);
        let watch = window.watch(1).unwrap();
        let others = lost();
        LOST.store(others.at(0), Ordering::SeqCst);
        assert_eq!(touch(others.at(17)), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_eq!(ADDRESS.load(Ordering::SeqCst), others.at(17).addr());
        assert_eq!((watch.lost(), window.token()), (0, TOKEN));

        // And one where a window was.
        drop(watch);
        window.cut(0);
        LOST.store(window.at, Ordering::SeqCst);
        assert_eq!(window.byte(17), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 2);
        assert_eq!(window.token(), TOKEN);
    })
    .assert_done();
}

#[test]
fn a_dead_watch_leaves_another_files_lost_page_to_the_predecessor() {
    in_child(|| {
        handle(with_info_address(), libc::SA_SIGINFO, &[]);
        guard::install().unwrap();
        if !watch::exact() {
            println!("skipped: the kernel does not say what is mapped at an address");
            return;
        }
        let window = Window::new(4);
        let watch = window.watch(1).unwrap();
        // Its memory is gone, and somebody maps another file there, or another part of the file.
        let other = tempfile::tempfile().unwrap();
        for (calls, (file, offset)) in [(&other, 0), (&window.file, page())].iter().enumerate() {
            window.show(file, libc::MAP_SHARED, *offset);
            window.cut(0);
            LOST.store(window.at.wrapping_add(page()), Ordering::SeqCst);
            assert_eq!(window.byte(page() + 17), 0);
            assert_eq!(CALLS.load(Ordering::SeqCst), calls + 1);
            assert_eq!((watch.lost(), window.token()), (0, TOKEN));
        }
        // And what is the window's own is covered still, in a forked child too.
        window.file.write_all_at(&patterned(0, window.shown()), 0).unwrap();
        window.show(&window.file, libc::MAP_PRIVATE, 0);
        window.cut(0);
        assert_eq!(in_fork(|| window.byte(3 * page()) == 0 && watch.lost() == 1), 7);
        assert_eq!((watch.lost(), window.token()), (0, TOKEN));
        assert_eq!(window.byte(3 * page()), 0);
        assert_eq!((watch.lost(), CALLS.load(Ordering::SeqCst)), (1, 2));
    })
    .assert_done();
}

#[test]
fn a_forked_childs_windows_are_its_own() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(2);
        let watch = window.watch(1).unwrap();
        window.cut(0);
        let covered = || {
            let zero = window.byte(100) == 0 && window.token() == 0;
            zero && watch.lost() == 1 && guard::watch::faults_covered() == 1
        };
        assert_eq!(in_fork(covered), 7);
        assert_eq!((watch.lost(), window.token()), (0, TOKEN));
        assert!(covered());
    })
    .assert_done();
}

/// Runs `body` in a forked child; returns how that left: 7 if it is true.
fn in_fork(body: impl Fn() -> bool) -> i32 {
    // SAFETY: the child does nothing that takes a lock or allocates.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::_exit(if body() { 7 } else { 8 });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert!(libc::WIFEXITED(status), "{status:#x}");
        libc::WEXITSTATUS(status)
    }
}

#[test]
fn an_owners_windows_may_not_overlap_and_a_new_owner_throws_old_ones_out() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(4);
        let old = window.watch(1).unwrap();
        assert_eq!(window.watch(1).err(), Some(Refused::Overlaps));
        let (start, end) = (window.range().start, window.range().end);
        // SAFETY: as for `Window::watch`.
        let part = |range, owner| unsafe { Watch::new(range, owner) };
        assert_eq!(part(start + UNIT..end, 1).err(), Some(Refused::Overlaps));
        assert_eq!(part(start + 1..end, 1).err(), Some(Refused::Misplaced));
        assert_eq!(part(start..start, 1).err(), Some(Refused::Misplaced));
        assert_eq!(part(0..1 << 60, 1).err(), Some(Refused::Misplaced));

        let first = part(start..start + UNIT, 2).unwrap();
        let last = part(end - UNIT..end, 2).unwrap();
        assert_eq!((old.lost(), first.lost(), last.lost()), (1, 0, 0), "the old one is out");
        assert_eq!((old.counted(), first.counted()), (Some(0), Some(0)));
        // The old one's end ends nothing of theirs.
        drop(old);
        window.cut(page());
        assert_eq!((window.byte(2 * page()), first.lost(), last.lost()), (0, 1, 0));
        assert_eq!((window.byte(window.shown() - 1), last.lost(), window.token()), (0, 1, 0));
        assert_eq!(part(start + UNIT..end - UNIT, 2).unwrap().lost(), 0);
    })
    .assert_done();
}

#[test]
fn what_a_watch_had_lost_is_known_after_it_was_thrown_out() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(4);
        let old = window.watch(1).unwrap();
        window.cut(page());
        assert_eq!((window.byte(2 * page()), old.counted()), (0, Some(1)));
        let new = window.watch(2).unwrap();
        assert_eq!((old.counted(), old.lost(), new.counted()), (Some(1), 1, Some(0)));
        drop(old);
        assert_eq!((new.counted(), guard::watch::faults_covered()), (Some(0), 1));
    })
    .assert_done();
}

#[test]
fn a_lost_page_is_covered_when_the_process_has_no_ranges_left() {
    in_child(|| {
        guard::install().unwrap();
        let window = Window::new(16);
        let watch = window.watch(1).unwrap();
        for (lost, left) in [(1, 50), (2, 7), (3, 5)] {
            window.cut(left * page());
            use_ranges_up();
            assert_eq!(window.byte(left * page()), 0);
            assert_eq!((watch.lost(), window.byte(17)), (lost, pattern(17)));
        }
    })
    .assert_done();
}

/// Maps single pages that the kernel can't join, until it refuses.
fn use_ranges_up() {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    for n in 0.. {
        let protection = if n % 2 == 0 { libc::PROT_NONE } else { libc::PROT_READ };
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { libc::mmap(ptr::null_mut(), page(), protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            // Some systems allow any number.
            break;
        }
        assert!(n < 10_000_000, "it never refuses");
    }
}

#[test]
fn a_process_has_an_eighth_of_its_ranges_for_windows() {
    in_child(|| {
        guard::install().unwrap();
        let all = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let most = all.trim().parse::<usize>().unwrap() / 8;
        if most > 100_000 {
            return;
        }
        let window = Window::reserve(most + 1);
        window.cut(window.shown());
        window.show(&window.file, libc::MAP_PRIVATE, 0);
        let start = window.range().start;
        let part = |n: usize| {
            // SAFETY: as for `Window::watch`.
            unsafe { Watch::new(start + n * UNIT..start + (n + 1) * UNIT, 1) }
        };
        let mut watches: Vec<_> = (0..most).map(|n| part(n).unwrap()).collect();
        assert_eq!(part(most).err(), Some(Refused::TooMany));
        window.cut(0);
        for n in [0, 1, most / 2, most - 1] {
            assert_eq!(window.byte(n * UNIT + 100), 0);
            assert_eq!(watches[n].lost(), 1);
        }
        assert_eq!(watches.iter().map(|watch| watch.lost()).sum::<u32>(), 4);
        watches.swap_remove(0);
        assert_eq!(part(most).map(|watch| watch.lost()), Ok(0));
    })
    .assert_done();
}
