//! A disk that fills up: `enospc` and not `sigbus`, and nothing lost. On a tmpfs of its own,
//! where one may be mounted; else it says that it was skipped.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{FsPerms, Limits};
use std::fs;
use std::path::Path;

const DISK: u64 = 1 << 20;

fn world(disk: &Path) -> World {
    World::at(disk, Limits::default(), FsPerms::ReadWrite)
}

/// Bytes that can still be written.
fn free(disk: &Path) -> u64 {
    let stat = rustix::fs::statvfs(disk).unwrap();
    stat.f_bfree * stat.f_frsize
}

/// Writes a file that leaves no block of the disk free.
fn fill(world: &World, disk: &Path) {
    let length = free(disk);
    world.file("filler", &vec![0xff; length as usize]);
    assert_eq!(free(disk), 0);
}

#[test]
fn a_mapping_on_a_full_disk_serves_after_enospc() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let contents = pattern(2 * page());
        let path = world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        let before = free(disk);
        for size in [DISK + 1, 2 * DISK, 1 << 30] {
            assert_eq!(mapping.set_len(size), Err(Enospc.into()), "{size}");
            assert_eq!(mapping.len(), Ok(2 * page()));
            assert_eq!(world.length("f"), 2 * page());
            assert_same!(all(&mapping), contents);
            assert_eq!(world.usage.counters().mapped_bytes, 2 * page());
            assert_eq!(mapped_ranges(&path), 1);
            assert_eq!(free(disk), before, "{size}");
        }
        mapping.pwrite(0, b"alive").unwrap();
        assert_eq!(world.contents("f")[..5], *b"alive");
        // All that is free may be had.
        mapping.set_len(2 * page() + before).unwrap();
        assert_eq!(free(disk), 0);
        assert_eq!(mapping.set_len(2 * page() + before + 1), Err(Enospc.into()));
        mapping.pwrite(page() + before, &vec![1; page() as usize]).unwrap();
        mapping.set_len(2 * page()).unwrap();
        assert_eq!(free(disk), before);
    });
}

#[test]
fn a_failed_open_on_a_full_disk_changes_nothing() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let contents = pattern(2 * page());
        world.file("f", &contents);
        let before = free(disk);
        let size = 2 * DISK;
        for options in [READ_WRITE, WRITE, CREATE, TRUNCATE, PRIVATE] {
            let options = options.size(size);
            assert_eq!(world.refused("f", &options), Enospc, "{options:?}");
            assert_same!(world.contents("f"), contents, "{options:?}");
            assert_eq!(free(disk), before, "{options:?}");
        }
        for options in [CREATE, CREATE.exclusive(true).truncate(true)] {
            let options = options.size(size);
            assert_eq!(world.refused("new", &options), Enospc, "{options:?}");
        }
        assert_eq!(world.names(), ["f"]);
        assert_eq!(free(disk), before);
        world.assert_idle();
    });
}

#[test]
fn a_file_emptied_to_its_old_size_needs_no_space() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        world.file("f", &pattern(4 * page()));
        fill(&world, disk);
        let options = TRUNCATE.size(4 * page());
        assert_same!(all(&world.map("f", &options)), vec![0; 4 * page() as usize]);
        assert_eq!(free(disk), 0);
        // More than that is not to be had, and then its contents stay.
        world.map("f", &READ_WRITE).pwrite(0, b"kept").unwrap();
        let more = TRUNCATE.size(5 * page());
        assert_eq!(world.refused("f", &more), Enospc);
        assert_eq!(world.contents("f")[..4], *b"kept");
        assert_eq!(world.length("f"), 4 * page());
    });
}

#[test]
fn a_write_into_a_hole_on_a_full_disk_is_sigbus() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        world.sparse("f", 8 * page());
        let mapping = world.map("f", &READ_WRITE);
        mapping.pwrite(0, b"before").unwrap();
        fill(&world, disk);
        assert_eq!(mapping.pwrite(4 * page(), b"x"), Err(Sigbus.into()));
        assert_eq!(bytes(&mapping, 0, 6), b"before");
        // Where there is room again, the same write goes through.
        fs::remove_file(world.path("filler")).unwrap();
        mapping.pwrite(4 * page(), b"after").unwrap();
        assert_eq!(bytes(&mapping, 4 * page(), 5), b"after");
        assert_eq!(world.usage.counters().faults_recovered, 1);
    });
}

#[test]
fn every_byte_of_a_size_that_was_granted_can_be_written() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let size = 16 * page();
        let mapping = world.map("f", &CREATE.size(size));
        fill(&world, disk);
        let written = pattern(size);
        mapping.pwrite(0, &written).unwrap();
        assert_same!(world.contents("f"), written);
        assert_eq!(world.usage.counters().faults_recovered, 0);
    });
}

#[test]
fn mapping_and_cutting_need_no_space() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let contents = pattern(4 * page());
        world.file("f", &contents);
        fill(&world, disk);
        for options in [READ, READ_WRITE, PRIVATE, READ_WRITE.size(1)] {
            assert_same!(all(&world.map("f", &options)), contents, "{options:?}");
        }
        let mapping = world.map("f", &READ_WRITE);
        mapping.pwrite(page(), b"in place").unwrap();
        mapping.set_len(page()).unwrap();
        assert_eq!(free(disk), 3 * page());
        drop(world.map("f", &TRUNCATE));
        assert_eq!(free(disk), 4 * page());
    });
}

#[test]
fn a_file_past_the_limit_of_the_process_is_efbig_and_no_signal() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let contents = pattern(2 * page());
        world.file("f", &contents);
        let before = free(disk);
        let mapping = world.map("f", &READ_WRITE);
        let size = 8 * page();
        with_rlimit(libc::RLIMIT_FSIZE, 4 * page(), || {
            assert_eq!(mapping.set_len(size), Err(Efbig.into()));
            for (name, options) in [("f", READ_WRITE), ("f", TRUNCATE), ("new", CREATE)] {
                let options = options.size(size);
                assert_eq!(world.refused(name, &options), Efbig, "{name} {options:?}");
            }
        });
        assert_same!(all(&mapping), contents);
        assert_same!(world.contents("f"), contents);
        assert_eq!(world.names(), ["f"]);
        assert_eq!(free(disk), before);
    });
}

#[test]
fn a_file_longer_than_the_process_may_make_one_is_not_lost() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let contents = pattern(8 * page());
        world.file("f", &contents);
        with_rlimit(libc::RLIMIT_FSIZE, 4 * page(), || {
            let options = TRUNCATE.size(6 * page());
            match world.open("f", &options) {
                Ok(mapping) => assert_same!(all(&mapping), vec![0; 6 * page() as usize]),
                Err(error) => {
                    assert_eq!(error, Efbig);
                    assert_same!(world.contents("f"), contents);
                }
            }
            // It may be mapped and cut as it is.
            world.map("f", &READ_WRITE).set_len(5 * page()).unwrap();
        });
        assert_eq!(world.length("f"), 5 * page());
    });
}

#[test]
fn growth_on_a_tmpfs_changes_no_byte_that_was_written() {
    on_small_disk(DISK, |disk| {
        let world = world(disk);
        let grown = READ_WRITE.size(2 * page());
        for by_set_len in [true, false] {
            world.file("f", &pattern(page()));
            let mapping = world.map("f", &READ_WRITE);
            world.set_length("f", 10);
            // Of the last page only the part before the end is the file's. What lies behind it
            // may be somebody else's write by the time that the file grows: it stays.
            mapping.pwrite(5, &[9; 100]).unwrap();
            match by_set_len {
                true => mapping.set_len(2 * page()).unwrap(),
                false => drop(world.map("f", &grown)),
            }
            let mut expected = pattern(5);
            expected.resize(10, 9);
            let found = world.contents("f");
            assert_same!(found[..10], expected, "by set_len: {by_set_len}");
            assert!(found[10..105].iter().all(|byte| [0, 9].contains(byte)));
            assert_same!(found[105..], vec![0; 2 * page() as usize - 105]);
        }
    });
}
