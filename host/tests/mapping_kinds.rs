//! Kinds of file: regular ones are mapped, all others refused at once.

mod support;

use iommap::{Error, FsPerms, Limits, Mapping, OpenOptions};
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use support::*;

fn ways() -> Vec<OpenOptions> {
    let sized = OpenOptions { size: Some(100), ..CREATE };
    let private_create = OpenOptions { private: true, ..CREATE };
    vec![READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE, sized, private_create]
}

#[test]
fn given_a_fifo_when_opened_then_enotreg_at_once_and_never_a_wait() {
    bounded(refuse_fifos);
}

#[test]
fn given_no_openat2_when_a_fifo_is_opened_then_it_is_the_same() {
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
            assert_eq!(world.refused(path, &options), Error::NotReg, "{path} {options:?}");
        }
    }
    assert_eq!(world.names(), ["fifo", "link"]);
    assert!(descriptors(&world.path("fifo")).is_empty());
    world.assert_idle();
}

#[test]
fn given_a_directory_when_opened_then_enotreg() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    fs::write(world.path("dir/inside"), b"kept").unwrap();
    std::os::unix::fs::symlink("dir", world.path("link")).unwrap();
    for path in ["dir", "dir/", "dir/.", "link", "link/"] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Error::NotReg, "{path} {options:?}");
        }
    }
    assert_eq!(fs::read(world.path("dir/inside")).unwrap(), b"kept");
    world.assert_idle();
}

#[test]
fn given_the_grant_itself_when_opened_then_enotreg() {
    let world = World::new();
    fs::create_dir(world.path("sub")).unwrap();
    for path in ["", ".", "/", "sub/.."] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Error::NotReg, "{path:?} {options:?}");
        }
    }
    for path in ["/d", "d", "d/", "./d/."] {
        let opened = Mapping::open(&world.grants, &world.account, path, &READ);
        assert_eq!(opened.err(), Some(Error::NotReg), "{path:?}");
    }
    world.assert_idle();
}

#[test]
fn given_a_socket_when_opened_then_enotreg() {
    let world = World::new();
    let _listener = UnixListener::bind(world.path("socket")).unwrap();
    for options in ways() {
        assert_eq!(world.refused("socket", &options), Error::NotReg, "{options:?}");
    }
}

#[test]
fn given_devices_when_opened_then_enotreg() {
    bounded(|| {
        let devices = World::at("/dev".as_ref(), Limits::default(), FsPerms::ReadWrite);
        for device in ["null", "zero", "full", "urandom", "tty"] {
            if !devices.path(device).exists() {
                println!("skipped: /dev/{device} is not there");
                continue;
            }
            for options in [READ, READ_WRITE, PRIVATE] {
                assert_eq!(
                    devices.refused(device, &options),
                    Error::NotReg,
                    "{device} {options:?}"
                );
            }
        }
        devices.assert_idle();
    });
}

#[test]
fn given_something_that_is_no_file_when_made_exclusively_then_eexist() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    let exclusive = OpenOptions { exclusive: true, ..CREATE };
    assert_eq!(world.refused("dir", &exclusive), Error::Exist);
}

#[test]
fn given_a_mapped_file_when_it_is_removed_then_the_mapping_goes_on_and_may_change_its_length() {
    let world = World::new();
    let contents = pattern(2 * page());
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    fs::remove_file(world.path("f")).unwrap();
    assert_same!(all(&mapping), contents);
    mapping.pwrite(1, b"!").unwrap();
    mapping.truncate(3 * page()).unwrap();
    assert_eq!(bytes(&mapping, 1, 1), b"!");
    assert_eq!(bytes(&mapping, 3 * page() - 1, 1), b"\0");
    assert!(world.names().is_empty());
}

#[test]
fn given_a_mapped_file_when_its_name_is_given_to_another_then_the_mapping_keeps_its_own() {
    let world = World::new();
    world.file("f", b"old");
    world.file("g", b"other");
    let mapping = world.map("f", &READ_WRITE);
    fs::rename(world.path("g"), world.path("f")).unwrap();
    mapping.pwrite(0, b"O").unwrap();
    mapping.truncate(1).unwrap();
    assert_eq!(all(&mapping), b"O");
    assert_eq!(world.contents("f"), b"other");
}
