//! What one store does is not felt by other stores, other processes, or the embedder.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, FsPerms, Grants, Limits, Usage};
use rustix::fs::inotify;
use std::ffi::CString;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

#[test]
fn a_hint_stays_when_another_store_opens_the_file() {
    in_child(|| {
        let mut world = World::new();
        world.grants.common_regions(true);
        let path = world.file("f", &pattern(64 * page()));
        for options in [READ, READ_WRITE] {
            let first = world.map("f", &options);
            first.advise(0, 0, Advice::Random).unwrap();
            assert_eq!(hinted(&path, "rr"), [true], "{options:?}");
            let second = world.map("f", &options);
            let mut hints = hinted(&path, "rr");
            hints.sort();
            // The other has a region without it.
            assert_eq!(hints, [false, true], "{options:?}");
            // And in the other order: who hints while others have the file.
            drop(first);
            let third = world.map("f", &options);
            third.advise(0, 0, Advice::Random).unwrap();
            let mut hints = hinted(&path, "rr");
            hints.sort();
            assert_eq!(hints, [false, true], "{options:?}");
            third.pread(0, &mut [0; 8]).ok();
            drop((second, third));
            assert!(hinted(&path, "rr").is_empty(), "{options:?}");
        }
    });
}

#[test]
fn an_embedders_hint_stays_when_guests_open_what_it_lends() {
    in_child(|| {
        let mut world = World::new();
        world.grants.common_regions(true);
        let path = world.file("f", &pattern(64 * page()));
        let mapping = Arc::new(world.map("f", &READ));
        mapping.advise(0, 0, Advice::Random).unwrap();
        let mut grants = Grants::default();
        grants.share("/lent", mapping, FsPerms::ReadOnly);
        let open = |grants: &Grants, path| {
            grants.open(&Usage::new(Limits::default()), path, &READ).unwrap()
        };
        let guests = [open(&grants, "/lent"), open(&grants, "/lent")];
        let others = [open(&world.grants, "/d/f"), open(&world.grants, "/d/f")];
        assert!(hinted(&path, "rr").contains(&true));
        drop((guests, others));
        assert_eq!(hinted(&path, "rr"), [true]);
    });
}

/// How often a file is opened while something is done, by whomever.
fn opens_of(path: &Path, work: impl FnOnce()) -> usize {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
    let watch = watch.unwrap();
    inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN).unwrap();
    work();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    std::iter::from_fn(|| events.next().ok().map(|_| ())).count()
}

fn make_node(path: &Path, mode: libc::mode_t, device: libc::dev_t) -> bool {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: `path` is a C string.
    unsafe { libc::mknod(path.as_ptr(), mode | 0o666, device) == 0 }
}

fn open_in_every_way(world: &World, name: &str) {
    for options in [READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE] {
        assert_eq!(world.refused(name, &options), Enotreg, "{options:?}");
    }
}

#[test]
fn a_fifo_that_is_refused_is_not_opened() {
    let world = World::new();
    assert!(make_node(&world.path("fifo"), libc::S_IFIFO, 0));
    std::os::unix::fs::symlink("fifo", world.path("link")).unwrap();
    // Its readers and writers would take an open for their counterpart.
    let opens = opens_of(&world.path("fifo"), || {
        open_in_every_way(&world, "fifo");
        open_in_every_way(&world, "link");
    });
    assert_eq!(opens, 0);
}

#[test]
fn a_fifo_that_is_refused_is_not_opened_without_openat2() {
    in_child(|| {
        without_openat2(libc::ENOSYS);
        let world = World::new();
        assert!(make_node(&world.path("fifo"), libc::S_IFIFO, 0));
        assert_eq!(opens_of(&world.path("fifo"), || open_in_every_way(&world, "fifo")), 0);
    });
}

#[test]
fn a_device_that_is_refused_is_not_opened() {
    let world = World::new();
    let zero = libc::makedev(1, 5);
    if !make_node(&world.path("zero"), libc::S_IFCHR, zero) {
        println!("skipped: no device can be made here");
        return;
    }
    assert_eq!(opens_of(&world.path("zero"), || open_in_every_way(&world, "zero")), 0);
}

#[test]
fn an_open_is_seen_where_one_is() {
    // The check itself is checked.
    let world = World::new();
    let path = world.file("f", b"contents");
    assert!(opens_of(&path, || drop(world.map("f", &READ))) > 0);
}

#[test]
fn pages_that_stay_locked_are_counted() {
    in_child(|| {
        let size = 16 * page();
        let world = World::limited(limits(|l| l.locked_bytes = size));
        world.file("f", &pattern(size));
        let mut guests = Vec::new();
        for _ in 0..3 {
            let Ok(mapping) = world.open("f", &READ.lock(true)) else { break };
            let mapping = Arc::new(mapping);
            let mut grants = Grants::default();
            grants.share("/lent", mapping.clone(), FsPerms::ReadOnly);
            guests.push(grants.open(&Usage::new(Limits::default()), "/lent", &READ).unwrap());
            // The guest keeps the region, and with it the lock or not.
            mapping.close().unwrap();
            assert_same!(all(&guests[0]), pattern(size));
            let counted = world.usage.counters().locked_bytes;
            assert_eq!(status("VmLck"), counted, "locked, and counted");
            assert!(counted <= size);
        }
        drop(guests);
        assert_eq!(status("VmLck"), 0);
        world.assert_idle();
    });
}

#[test]
fn an_open_waits_for_a_lease_to_be_given_back() {
    in_child(|| {
        // SAFETY: to ignore a signal has no preconditions. It tells the holder of the lease that
        // somebody waits, who finds it out for himself here.
        unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
        bounded(|| {
            let world = World::new();
            let path = world.file("f", b"contents");
            for options in [READ, READ_WRITE, PRIVATE, CREATE] {
                let file = fs::File::options().read(true).write(true).open(&path).unwrap();
                let lease = |command, argument: i32| {
                    // SAFETY: the descriptor is open, and the commands take a number or nothing.
                    unsafe { libc::fcntl(file.as_raw_fd(), command, argument) }
                };
                if lease(libc::F_SETLEASE, libc::F_WRLCK) != 0 {
                    println!("skipped: no lease is to be had here");
                    return;
                }
                let mapping = thread::scope(|scope| {
                    let opener = scope.spawn(|| world.open("f", &options));
                    // Until the opener waits for it, or is refused.
                    while lease(libc::F_GETLEASE, 0) == libc::F_WRLCK && !opener.is_finished() {
                        thread::yield_now();
                    }
                    // What was to be kept from others is now written.
                    assert_eq!(lease(libc::F_SETLEASE, libc::F_UNLCK), 0);
                    opener.join().unwrap()
                });
                assert_eq!(mapping.as_ref().err(), None, "{options:?}");
                assert_eq!(bytes(&mapping.unwrap(), 0, 8), b"contents", "{options:?}");
            }
        });
    });
}

#[test]
fn a_file_open_for_appending_is_not_written_elsewhere() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let file = fs::File::options().read(true).append(true).open(path).unwrap().into();
    let map = |options: &iommap::OpenOptions| {
        let perms = FsPerms::ReadWrite;
        iommap::Mapping::from_file(&file, "f", perms, &world.usage, options)
    };
    for options in [WRITE, READ_WRITE, READ_WRITE.size(9)] {
        assert_eq!(map(&options).map(drop), Err(Eacces.into()), "{options:?}");
    }
    assert_eq!(all(&map(&READ).unwrap()), b"contents");
    let private = map(&PRIVATE).unwrap();
    private.pwrite(0, b"C").unwrap();
    assert_eq!(world.contents("f"), b"contents");
}
