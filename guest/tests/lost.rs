//! Whether any window lost a page, in a process of its own: it is asked of all of them.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use iommap_guest::{Mapping, lost};
use std::fs::{self, File};

#[test]
fn a_page_that_any_window_lost_is_heard_of_whatever_becomes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, vec![7; 300_000]).unwrap();
    let mapping = Mapping::open(&path).unwrap();
    let first = mapping.window(0..300_000).unwrap();
    let second = mapping.window(0..300_000).unwrap();
    assert_eq!((first.u8_at(299_999).unwrap(), lost()), (7, false));
    drop(first);
    assert!(!lost());
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert!(!lost(), "nobody has touched it");
    // SAFETY: in the window; read as a program would that doesn't ask.
    assert_eq!(unsafe { second.as_ptr().add(200_000).read_volatile() }, 0);
    assert!(lost());
    drop(second);
    assert!(lost());
}
