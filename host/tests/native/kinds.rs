//! Kinds of file: regular ones are mapped, all others refused at once.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{FsPerms, Limits, OpenOptions};
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

fn ways() -> Vec<OpenOptions> {
    let sized = CREATE.size(100);
    let private_create = CREATE.private(true);
    vec![READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE, sized, private_create]
}

#[test]
fn a_fifo_is_enotreg_at_once_and_never_a_wait() {
    bounded(refuse_fifos);
}

#[test]
fn a_fifo_is_enotreg_without_openat2_too() {
    in_child(|| {
        bounded(|| {
            without_openat2(libc::ENOSYS);
            refuse_fifos();
        });
    });
}

fn refuse_fifos() {
    let world = World::new();
    let path = CString::new(world.path("fifo").as_os_str().as_bytes()).unwrap();
    // SAFETY: `path` is a C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
    std::os::unix::fs::symlink("fifo", world.path("link")).unwrap();
    for path in ["fifo", "link"] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Enotreg, "{path} {options:?}");
        }
    }
    assert_eq!(world.names(), ["fifo", "link"]);
    assert!(descriptors(&world.path("fifo")).is_empty());
    world.assert_idle();
}

#[test]
fn a_directory_is_enotreg() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    fs::write(world.path("dir/inside"), b"kept").unwrap();
    std::os::unix::fs::symlink("dir", world.path("link")).unwrap();
    for path in ["dir", "dir/", "dir/.", "link", "link/"] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Enotreg, "{path} {options:?}");
        }
    }
    assert_eq!(fs::read(world.path("dir/inside")).unwrap(), b"kept");
    world.assert_idle();
}

#[test]
fn the_granted_directory_itself_is_enotreg() {
    let world = World::new();
    fs::create_dir(world.path("sub")).unwrap();
    for path in ["", ".", "/", "sub/.."] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Enotreg, "{path:?} {options:?}");
        }
    }
    for path in ["/d", "d", "d/", "./d/."] {
        let opened = world.grants.open(&world.usage, path, &READ);
        assert_eq!(opened.unwrap_err(), Enotreg, "{path:?}");
    }
    world.assert_idle();
}

#[test]
fn a_socket_is_enotreg() {
    let world = World::new();
    let _listener = UnixListener::bind(world.path("socket")).unwrap();
    for options in ways() {
        assert_eq!(world.refused("socket", &options), Enotreg, "{options:?}");
    }
}

#[test]
fn devices_are_enotreg() {
    bounded(|| {
        let devices = World::at("/dev".as_ref(), Limits::default(), FsPerms::ReadWrite);
        for device in ["null", "zero", "full", "urandom", "tty"] {
            if !devices.path(device).exists() {
                println!("skipped: /dev/{device} is not there");
                continue;
            }
            for options in [READ, READ_WRITE, PRIVATE] {
                assert_eq!(devices.refused(device, &options), Enotreg, "{device} {options:?}");
            }
        }
        devices.assert_idle();
    });
}

#[test]
fn a_directory_in_the_way_of_a_new_file_is_eexist() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    let exclusive = CREATE.exclusive(true);
    assert_eq!(world.refused("dir", &exclusive), Eexist);
}

#[test]
fn a_removed_file_may_still_be_written_and_resized() {
    let world = World::new();
    let contents = pattern(2 * page());
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    fs::remove_file(world.path("f")).unwrap();
    assert_same!(all(&mapping), contents);
    mapping.pwrite(1, b"!").unwrap();
    mapping.set_len(3 * page()).unwrap();
    assert_eq!(bytes(&mapping, 1, 1), b"!");
    assert_eq!(bytes(&mapping, 3 * page() - 1, 1), b"\0");
    assert!(world.names().is_empty());
}

#[test]
fn a_mapping_keeps_its_file_when_another_gets_its_name() {
    let world = World::new();
    world.file("f", b"old");
    world.file("g", b"other");
    let mapping = world.map("f", &READ_WRITE);
    fs::rename(world.path("g"), world.path("f")).unwrap();
    mapping.pwrite(0, b"O").unwrap();
    mapping.set_len(1).unwrap();
    assert_eq!(all(&mapping), b"O");
    assert_eq!(world.contents("f"), b"other");
}
