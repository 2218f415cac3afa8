//! Write-backs that fail, on a disk that does: who is told of it, and until when.

use crate::support::*;
use iommap::{Error, FsPerms, Limits, Mapping, OpenOptions, SyncMode, Usage};
use std::sync::Barrier;
use std::thread;

const SIZE: u64 = 16 << 20;

#[test]
fn a_failed_sync_is_said_by_every_later_sync_of_the_mapping() {
    on_failing_disk(|disk| {
        let world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        let mapping = world.map("f", &CREATE.size(SIZE));
        let data = vec![0x77; SIZE as usize];
        mapping.pwrite(0, &data).unwrap();
        // Nothing else is written in between.
        for round in 0..5 {
            for synced in
                [mapping.sync(SyncMode::Sync), mapping.sync_range(0, SIZE, SyncMode::Sync)]
            {
                let error = synced.expect_err(&format!("forgotten in round {round}"));
                assert!([Eio, Enospc].contains(&error.kind()), "{error}");
            }
        }
        // The device is well again. This mapping can't know what was lost; a new one begins anew.
        mend_disk();
        mapping.sync(SyncMode::Sync).unwrap_err();
        drop(mapping);
        let mapping = world.map("f", &READ_WRITE);
        mapping.pwrite(0, &data).unwrap();
        assert_eq!(mapping.sync(SyncMode::Sync), Ok(()));
        assert_same!(world.contents("f"), data);
    });
}

/// A mapping of a store of its own.
fn store(world: &World, name: &str, options: &OpenOptions) -> Mapping {
    let usage = Usage::new(Limits::default());
    world.grants.open(&usage, &format!("/d/{name}"), options).unwrap()
}

/// The device's fault, and not another.
#[track_caller]
fn assert_failed(synced: Result<(), Error>, what: &str) {
    let error = synced.expect_err(what);
    assert!([Eio, Enospc].contains(&error.kind()), "{what}: {error}");
}

#[test]
fn a_failed_sync_of_one_store_is_said_by_sync_range_of_another() {
    on_failing_disk(|disk| {
        let mut world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        world.grants.common_regions(true);
        let data = vec![0x77; SIZE as usize];
        let mut all = Vec::new();
        // Whichever of them the kernel tells: it does so once.
        for (name, writer_is_first) in [("f", true), ("g", false)] {
            let writer = store(&world, name, &CREATE.size(SIZE));
            let other = store(&world, name, &READ_WRITE);
            assert_eq!(mapped_ranges(&world.path(name)), 1, "one region");
            writer.pwrite(0, &data).unwrap();
            let (first, second) =
                if writer_is_first { (&writer, &other) } else { (&other, &writer) };
            assert_failed(first.sync_range(0, SIZE, SyncMode::Sync), name);
            for _ in 0..2 {
                // The second one asks for a page that nothing may be wrong with.
                assert_failed(second.sync_range(SIZE - 1, 1, SyncMode::Sync), name);
                assert_failed(second.sync(SyncMode::Sync), name);
                assert_failed(first.sync_range(0, 1, SyncMode::Sync), name);
            }
            all.push((writer, other));
        }
        mend_disk();
        for (name, (writer, other)) in ["f", "g"].iter().zip(all) {
            // A store that comes later, on the same region, has missed nothing.
            let later = store(&world, name, &READ_WRITE);
            assert_eq!(mapped_ranges(&world.path(name)), 1, "one region");
            later.pwrite(0, &data).unwrap();
            assert_eq!(later.sync_range(0, SIZE, SyncMode::Sync), Ok(()), "{name}");
            assert_failed(writer.sync_range(0, 1, SyncMode::Sync), name);
            assert_failed(other.sync_range(0, 1, SyncMode::Sync), name);
            assert_eq!(later.sync_range(0, SIZE, SyncMode::Sync), Ok(()), "{name}");
        }
    });
}

#[test]
fn a_failed_sync_is_said_to_all_stores_that_sync_at_once() {
    const STORES: usize = 6;
    on_failing_disk(|disk| {
        let mut world = World::at(disk, Limits::default(), FsPerms::ReadWrite);
        world.grants.common_regions(true);
        let data = vec![0x77; (SIZE / STORES as u64) as usize];
        for round in 0..3 {
            let name = format!("f{round}");
            let stores: Vec<Mapping> =
                (0..STORES).map(|_| store(&world, &name, &CREATE.size(SIZE))).collect();
            assert_eq!(mapped_ranges(&world.path(&name)), 1, "one region");
            for (store, n) in stores.iter().zip(0..) {
                store.pwrite(n * data.len() as u64, &data).unwrap();
            }
            // The kernel tells one of them, which need not be the first that comes to an end.
            let start = Barrier::new(STORES);
            let said: Vec<Result<(), Error>> = thread::scope(|scope| {
                let sync = |(store, n): (&Mapping, u64)| {
                    start.wait();
                    let length = data.len() as u64;
                    store.sync_range(n * length, length, SyncMode::Sync)
                };
                let threads: Vec<_> =
                    stores.iter().zip(0..).map(|one| scope.spawn(move || sync(one))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            // Pages that did reach the device are nobody's loss: but who was told nothing now is
            // told so by its next one.
            assert!(said.iter().any(Result::is_err), "{said:?}");
            for store in &stores {
                assert_failed(store.sync_range(0, 1, SyncMode::Sync), &name);
            }
        }
    });
}
