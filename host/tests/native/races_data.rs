//! Data that others write while a file grows, is made, or fails to: none of it is lost.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{AccessMode, FsPerms, Limits, OpenOptions};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// What an appender appends, and nobody else writes.
const APPENDED: u8 = 0xa5;

/// Appends to a file as another process would, while something is done to it again and again; and
/// counts that every byte that was taken is still there.
fn while_somebody_appends(world: &World, name: &str, mut work: impl FnMut(u64)) {
    const PIECES: usize = 400;
    let over = AtomicBool::new(false);
    let appended = thread::scope(|scope| {
        let appender = scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(world.path(name)).unwrap();
            let mut appended = 0;
            for _ in 0..PIECES {
                // On a disk that is full for a moment some are refused, or taken in part.
                appended += file.write(&[APPENDED; 100]).unwrap_or(0);
                thread::yield_now();
            }
            over.store(true, Relaxed);
            appended
        });
        for round in 0.. {
            if over.load(Relaxed) {
                break;
            }
            work(round);
        }
        appender.join().unwrap()
    });
    let found = world.contents(name).iter().filter(|byte| **byte == APPENDED).count();
    assert!(appended > 0);
    assert_eq!(found, appended, "bytes of {name} that another process had appended");
}

#[test]
fn two_sizes_asked_for_at_once_leave_the_larger() {
    let mut world = World::new();
    for common in [false, true] {
        world.grants.common_regions(common);
        for round in 0..100 {
            let name = format!("f{round}");
            world.file(&name, b"head");
            let (small, large) = (page(), 256 * page());
            let start = Barrier::new(2);
            let mapping = thread::scope(|scope| {
                let (world, name, start) = (&world, &name, &start);
                let smaller = scope.spawn(move || {
                    start.wait();
                    world.map(name, &READ_WRITE.size(small))
                });
                start.wait();
                let mapping = world.map(name, &READ_WRITE.size(large));
                mapping.pwrite(large - 5, b"DATA!").unwrap();
                smaller.join().unwrap();
                mapping
            });
            assert_eq!(world.length(&name), large, "{round}");
            assert_eq!(bytes(&mapping, large - 5, 5), b"DATA!", "{round}");
            fs::remove_file(world.path(&name)).unwrap();
        }
    }
}

#[test]
fn a_size_that_grows_a_file_loses_nothing_that_others_append() {
    let world = World::new();
    world.file("f", b"head");
    while_somebody_appends(&world, "f", |round| {
        let size = world.length("f") + 1 + round % 3 * page();
        drop(world.map("f", &READ_WRITE.size(size)));
    });
}

#[test]
fn a_failed_growth_loses_nothing_that_others_append() {
    on_small_disk(1 << 20, |disk| fail_to_grow_beside_an_appender(disk, 4 << 20));
}

#[test]
fn a_failed_growth_on_ext4_loses_nothing_that_others_append() {
    on_ext4(|disk| fail_to_grow_beside_an_appender(disk, 64 << 20));
}

fn fail_to_grow_beside_an_appender(disk: &Path, too_much: u64) {
    let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
    world.file("f", b"head");
    let mapping = world.map("f", &READ_WRITE);
    while_somebody_appends(&world, "f", |round| {
        let error = match round % 3 {
            0 => mapping.set_len(too_much).unwrap_err(),
            1 => world.refused("f", &READ_WRITE.size(too_much)),
            _ => world.refused("f", &PRIVATE.size(too_much)),
        };
        assert_eq!(error, Enospc);
    });
}

#[test]
fn a_failed_create_removes_no_file_of_others() {
    on_small_disk(1 << 20, |disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let too_large = CREATE.size(2 << 20);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    assert_eq!(world.refused("new", &too_large), Enospc);
                }
            });
            for round in 0..3000 {
                // The disk is full for as long as a growth takes to fail.
                while fs::write(disk.join("theirs"), b"theirs").is_err() {}
                fs::rename(disk.join("theirs"), disk.join("new")).unwrap();
                let found = fs::read(disk.join("new")).ok();
                if found.as_ref().is_none_or(|found| !found.starts_with(b"theirs")) {
                    over.store(true, Relaxed);
                    panic!("round {round}: another's file is {found:?}");
                }
                fs::remove_file(disk.join("new")).unwrap();
            }
            over.store(true, Relaxed);
        });
    });
}

#[test]
fn a_failed_create_removes_no_file_that_another_store_has_made() {
    on_small_disk(1 << 20, |disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let limited = World::at(disk, limits(|l| l.mapped_bytes = 99), FsPerms::ReadWrite);
        for round in 0..3000 {
            let start = Barrier::new(3);
            let made = thread::scope(|scope| {
                let (world, limited, start) = (&world, &limited, &start);
                scope.spawn(move || {
                    start.wait();
                    assert_eq!(world.refused("f", &CREATE.size(2 << 20)), Enospc);
                });
                scope.spawn(move || {
                    start.wait();
                    assert_eq!(limited.refused("f", &CREATE.size(100)), LimitExceeded);
                });
                start.wait();
                // The disk is full for as long as a growth takes to fail.
                std::iter::repeat_with(|| world.open("f", &CREATE.size(100)))
                    .find(|opened| opened.as_ref().err().is_none_or(|error| *error != Enospc))
                    .unwrap()
                    .unwrap()
            });
            made.pwrite(0, b"made").unwrap();
            let found = fs::read(disk.join("f")).ok();
            assert!(found.is_some_and(|found| found.starts_with(b"made")), "round {round}: gone");
            fs::remove_file(disk.join("f")).unwrap();
        }
    });
}

#[test]
fn no_region_is_common_where_a_files_bytes_leave_its_identity() {
    let script = "mkdir lower upper work && echo old bytes > lower/f && \
        mount -t overlay -o metacopy=on,lowerdir=lower,upperdir=upper,workdir=work overlay \"$0\"";
    on_mount("an overlayfs with metacopy", script, |disk| {
        let mut world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        world.grants.common_regions(true);
        // Now the file's metadata are in the upper layer, and its bytes in the lower one.
        set_mode(&world.path("f"), 0o600);
        let kept = world.map("f", &READ);
        assert_eq!(all(&kept), b"old bytes\n");
        // A write moves the bytes as well.
        let file = fs::File::options().write(true).open(world.path("f")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"new", 0).unwrap();
        assert_eq!(world.contents("f"), b"new bytes\n");
        assert_eq!(all(&world.map("f", &READ)), b"new bytes\n");
        assert_eq!(all(&world.map("f", &PRIVATE)), b"new bytes\n");
    });
}

#[test]
fn an_open_file_for_reading_is_not_grown_by_a_private_mapping() {
    let world = World::new();
    world.file("f", b"contents");
    let file = fs::File::open(world.path("f")).unwrap().into();
    let options = OpenOptions::new().access(AccessMode::ReadWrite).private(true).size(9);
    let perms = FsPerms::ReadWrite;
    let mapped = iommap::Mapping::from_file(&file, "f", perms, &world.usage, &options);
    assert_eq!(mapped.map(drop), Err(Eacces.into()));
    assert_eq!(world.contents("f"), b"contents");
    world.assert_idle();
}
