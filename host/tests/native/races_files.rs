//! Locks that the embedder holds on a file which guests map too: which of them last. This is what
//! `docs/embedding.md` says of them.

use crate::support::*;
use iommap::{FsPerms, Grants, Limits, Mapping, Usage};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Of all of a file, by the process or by an open file.
fn set_lock(file: &File, command: libc::c_int) {
    let lock = whole();
    // SAFETY: the descriptor is open, and `lock` is what these commands take.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const lock) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Is there a lock in the way of another one? `other` is an open file of its own, so that a lock of
/// this process's counts as any.
fn is_locked(other: &File) -> bool {
    let mut lock = whole();
    // SAFETY: the descriptor is open, and `lock` is what the command takes and writes to.
    let done = unsafe { libc::fcntl(other.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    lock.l_type != libc::F_UNLCK as libc::c_short
}

fn whole() -> libc::flock {
    // SAFETY: plain numbers, for which zero means the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock
}

fn both(world: &World) -> File {
    File::options().read(true).write(true).open(world.path("f")).unwrap()
}

#[test]
fn posix_locks_of_the_process_go_when_a_mapping_closes_the_file() {
    in_child(|| {
        let world = World::new();
        world.file("f", b"contents");
        // Both stay open: whichever were closed would take the lock along.
        let (locking, other) = (both(&world), both(&world));
        for options in [READ, PRIVATE] {
            set_lock(&locking, libc::F_SETLK);
            assert!(is_locked(&other), "{options:?}");
            // What is only read is closed once it is mapped.
            let mapping = world.map("f", &options);
            assert!(!is_locked(&other), "{options:?}");
            assert_eq!(bytes(&mapping, 0, 8), b"contents");
        }
        set_lock(&locking, libc::F_SETLK);
        let mapping = world.map("f", &READ_WRITE);
        assert!(is_locked(&other));
        mapping.close().unwrap();
        assert!(!is_locked(&other));
    });
}

#[test]
fn locks_of_an_open_file_stay_when_guests_map_it() {
    in_child(|| {
        let world = World::new();
        world.file("f", b"contents");
        let (locking, other) = (both(&world), both(&world));
        set_lock(&locking, libc::F_OFD_SETLK);
        locking.lock().unwrap();
        for options in [READ, PRIVATE, READ_WRITE, CREATE] {
            drop(world.map("f", &options));
            assert!(is_locked(&other), "{options:?}");
            assert!(other.try_lock().is_err(), "{options:?}");
        }
        drop(locking);
        assert!(!is_locked(&other));
        other.try_lock().unwrap();
    });
}

#[test]
fn posix_locks_stay_where_guests_open_no_file() {
    in_child(|| {
        let world = World::read_only();
        world.file("f", b"contents");
        let mapping = Arc::new(world.map("f", &READ));
        let (locking, other) = (Arc::new(both(&world)), both(&world));
        set_lock(&locking, libc::F_SETLK);
        // A mapping that was there before, lent.
        let mut grants = Grants::default();
        grants.share("/lent", mapping, FsPerms::ReadOnly);
        drop(grants.open(&Usage::new(Limits::default()), "/lent", &READ).unwrap());
        assert!(is_locked(&other));
        // The descriptor that has the lock.
        let perms = FsPerms::ReadWrite;
        for options in [READ, READ_WRITE] {
            let usage = Usage::new(Limits::default());
            drop(Mapping::from_file(&locking, "f", perms, &usage, &options).unwrap());
            assert!(is_locked(&other), "{options:?}");
        }
        // And what is refused before it is opened.
        assert_eq!(world.refused("f", &READ_WRITE), Eacces);
        assert!(is_locked(&other));
    });
}
