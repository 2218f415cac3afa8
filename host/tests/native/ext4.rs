//! A full disk with a real file system: a small ext4 in a file, mounted where nobody else sees it.
//! Where the machine doesn't permit that, these tests say so.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{FsPerms, Limits, SyncMode};
use std::fs;
use std::io::Write;
use std::path::Path;

fn world(disk: &Path) -> World {
    World::at(disk, Limits::default(), FsPerms::ReadWrite)
}

/// Leaves no block free.
fn fill(world: &World) {
    let mut file = fs::File::create(world.path("filler")).unwrap();
    for length in [1 << 16, 4096, 512] {
        while file.write_all(&vec![1; length]).is_ok() {}
    }
    // What is not allocated yet, is now.
    let _ = file.sync_all();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn a_mapping_on_a_full_ext4_serves_after_enospc() {
    on_ext4(|disk| {
        let world = world(disk);
        let old = pattern(3 * page() + 5);
        world.file("f", &old);
        let mapping = world.map("f", &READ_WRITE);
        fill(&world);
        assert_eq!(mapping.set_len(200 * page()), Err(Enospc.into()));
        assert_eq!(world.length("f"), old.len() as u64);
        assert_eq!(all(&mapping), old);
        mapping.pwrite(0, b"still").unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        assert_eq!(&world.contents("f")[..5], b"still");

        fs::remove_file(world.path("filler")).unwrap();
        mapping.set_len(200 * page()).unwrap();
        assert_eq!(bytes(&mapping, 5, old.len() as u64 - 5), old[5..]);
    });
}

#[test]
fn a_failed_open_on_a_full_ext4_changes_nothing() {
    on_ext4(|disk| {
        let world = world(disk);
        let old = pattern(2 * page());
        world.file("f", &old);
        fill(&world);
        let names = world.names();
        let size = 500 * page();
        let new = CREATE.size(size);
        assert_eq!(world.refused("new", &new), Enospc);
        let grown = READ_WRITE.size(size);
        assert_eq!(world.refused("f", &grown), Enospc);
        let emptied = READ_WRITE.size(size).truncate(true);
        assert_eq!(world.refused("f", &emptied), Enospc);
        assert_eq!(world.names(), names);
        assert_eq!(world.contents("f"), old);
        world.assert_idle();
    });
}

#[test]
fn a_write_into_a_hole_on_a_full_ext4_is_sigbus() {
    on_ext4(|disk| {
        let world = world(disk);
        world.sparse("hole", 900 * page());
        let mapping = world.map("hole", &READ_WRITE);
        fill(&world);
        let faults = (0..900).filter(|n| match mapping.pwrite(n * page(), &[9; 100]) {
            Ok(()) => false,
            Err(error) if error == Sigbus => true,
            Err(error) => panic!("page {n}: {error}"),
        });
        let faults = faults.count() as u64;
        assert!(faults > 800, "{faults} faults");
        assert_eq!(world.usage.counters().faults_recovered, faults);
        assert_eq!(bytes(&mapping, 899 * page(), 10), [0; 10]);

        fs::remove_file(world.path("filler")).unwrap();
        mapping.pwrite(899 * page(), &[9; 100]).unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
    });
}

#[test]
fn every_byte_of_a_size_granted_on_ext4_can_be_written() {
    on_ext4(|disk| {
        let world = world(disk);
        let mapping = world.map("f", &CREATE.size(500 * page()));
        fill(&world);
        let data = pattern(500 * page());
        mapping.pwrite(0, &data).unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        assert_eq!(world.contents("f"), data);
        assert_eq!(world.usage.counters().faults_recovered, 0);
    });
}
