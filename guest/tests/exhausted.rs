//! A process that has used up its ranges of addresses, in a process of its own: no window loses what the
//! program has stored in it.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use iommap_guest::{ErrorKind, Mapping, Window};
use std::fs;

const UNIT: usize = 64 << 10;

/// Pages that the kernel can't join, until it refuses.
fn use_ranges_up(pages: &mut Vec<*mut core::ffi::c_void>) {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    for n in 0.. {
        let access = if n % 2 == 0 { ProtFlags::empty() } else { ProtFlags::READ };
        // SAFETY: a new mapping, at an address that the kernel chooses.
        match unsafe { mmap_anonymous(std::ptr::null_mut(), 4096, access, MapFlags::PRIVATE) } {
            Ok(page) => pages.push(page),
            Err(_) => return,
        }
        assert!(pages.len() < pages.capacity(), "it never refuses");
    }
}

#[test]
fn with_few_ranges_left_a_window_moves_whole_or_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, vec![7; 6 * UNIT]).unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let (own, mut read) = (vec![9; 6 * UNIT], vec![0; 6 * UNIT]);
    let mut window = mapping.window(0..6 * UNIT as u64).unwrap();
    // SAFETY: the window's own memory, to which nothing refers.
    unsafe { window.as_ptr().cast_mut().copy_from_nonoverlapping(own.as_ptr(), own.len()) };
    let mut pages = Vec::with_capacity(1 << 20);
    use_ranges_up(&mut pages);
    let mut refused = 0;
    // To other bytes, which the kernel can't join to those that were shown behind them.
    while let Err(error) = window.move_to(&mapping, (UNIT as u64, UNIT as u64)) {
        assert_eq!(error, ErrorKind::Enomem);
        window.read_exact_at(0, &mut read).unwrap();
        assert!(read == own, "after {refused} refusals");
        refused += 1;
        let page = pages.pop().expect("it goes before all are back");
        // SAFETY: a page of its own that nobody has touched.
        unsafe { rustix::mm::munmap(page, 4096) }.unwrap();
    }
    assert!(refused > 0);
    assert_eq!((window.len(), window.u8_at(UNIT - 1).unwrap()), (UNIT, 7));
    for page in pages {
        // SAFETY: likewise.
        unsafe { rustix::mm::munmap(page, 4096) }.unwrap();
    }
    assert!(Window::options().open(&mapping, 0..8).is_ok());
    window.close().unwrap();
}
