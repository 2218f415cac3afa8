//! Blocks inside a file: given back, zeroed, allocated; on the file system of the tests' directory, on
//! a tmpfs, and on disks that are full.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Error, FsPerms, Grants, Limits, Mapping, SyncMode, Usage};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// Tells a story on each file system that there is.
fn on_each_file_system(story: impl Fn(&World)) {
    story(&World::new());
    match tempfile::tempdir_in("/dev/shm") {
        Ok(dir) => story(&world(dir.path())),
        Err(error) => println!("skipped: no tmpfs at /dev/shm: {error}"),
    }
}

/// Is this what a file system says that can't?
fn is_unsupported(done: &Result<(), Error>) -> bool {
    let unsupported = done.as_ref().is_err_and(|error| *error == Enotsup);
    if unsupported {
        println!("skipped: the file system can't");
    }
    unsupported
}

type Operation = fn(&Mapping, u64, u64) -> Result<(), Error>;

const ALL: [Operation; 3] = [Mapping::punch_hole, Mapping::zero_range, Mapping::allocate];

#[test]
fn a_hole_gives_its_blocks_back_and_reads_as_zeros() {
    on_each_file_system(|world| {
        let mut contents = pattern(64 * page() + 5);
        world.file("f", &contents);
        let (writer, reader) = (world.map("f", &READ_WRITE), world.map("f", &READ));
        assert_same!(all(&reader), contents);
        // What was written only just is given back, too.
        writer.pwrite(10 * page(), b"dirty").unwrap();
        contents[10 * page() as usize..][..5].copy_from_slice(b"dirty");
        writer.sync(SyncMode::Sync).unwrap();
        writer.pwrite(10 * page(), b"dirtier").unwrap();
        contents[10 * page() as usize..][..7].copy_from_slice(b"dirtier");
        let before = world.allocated("f");
        let (offset, length) = (3 * page() + 7, 20 * page() + 11);
        let done = writer.punch_hole(offset, length);
        if is_unsupported(&done) {
            return;
        }
        done.unwrap();
        contents[offset as usize..][..length as usize].fill(0);
        assert_eq!(world.allocated("f"), before - 19 * page());
        assert_same!(all(&writer), contents);
        assert_same!(all(&reader), contents);
        assert_same!(world.contents("f"), contents);

        // Up to the last byte, which lies in the middle of a page; and blocks again where it is written.
        // (How many more is the file system's to say: a tmpfs gives a hole a page once it was read
        // through a mapping, an ext4 with large folios gives blocks to neighbours as well.)
        let before = world.allocated("f");
        writer.punch_hole(60 * page(), 4 * page() + 5).unwrap();
        assert_eq!(world.allocated("f"), before - 4 * page());
        contents[60 * page() as usize..].fill(0);
        writer.pwrite(62 * page(), b"back").unwrap();
        contents[62 * page() as usize..][..4].copy_from_slice(b"back");
        writer.sync(SyncMode::Sync).unwrap();
        assert_same!(world.contents("f"), contents);
        assert!(world.allocated("f") >= before - 3 * page());
    });
}

#[test]
fn zeros_and_allocated_ranges_have_their_blocks() {
    on_each_file_system(|world| {
        world.sparse("f", 64 * page());
        let mapping = world.map("f", &READ_WRITE);
        mapping.pwrite(9 * page(), b"stays").unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        let before = world.allocated("f");
        let done = mapping.allocate(8 * page() + 1, 30 * page());
        if is_unsupported(&done) {
            return;
        }
        done.unwrap();
        assert_eq!(world.allocated("f"), before + 30 * page(), "one was there already");
        let mut contents = vec![0; 64 * page() as usize];
        contents[9 * page() as usize..][..5].copy_from_slice(b"stays");
        assert_same!(all(&mapping), contents);

        mapping.pwrite(0, &pattern(64 * page())).unwrap();
        mapping.sync(SyncMode::Sync).unwrap();
        let full = world.allocated("f");
        mapping.zero_range(page() - 3, 40 * page()).unwrap();
        let mut contents = pattern(64 * page());
        contents[page() as usize - 3..][..40 * page() as usize].fill(0);
        assert_same!(all(&mapping), contents);
        assert_same!(world.contents("f"), contents);
        assert_eq!(world.allocated("f"), full);
        // Of a hole, too.
        mapping.punch_hole(0, 64 * page()).unwrap();
        mapping.zero_range(0, 64 * page()).unwrap();
        assert!(world.allocated("f") >= 64 * page());
        assert!(all(&mapping).iter().all(|byte| *byte == 0));
    });
}

#[test]
fn what_may_not_change_its_storage_is_refused_in_order() {
    let world = World::limited(limits(|limits| limits.file_bytes = 3 * page()));
    world.file("f", &pattern(5 * page()));
    let mapping = world.map("f", &READ_WRITE);
    let lent = {
        let mut grants = Grants::default();
        let lender = Mapping::options().read(true).write(true).open(world.path("f")).unwrap();
        grants.share("/shared", lender, FsPerms::ReadWrite);
        grants.open(&Usage::new(Limits::default()), "/shared", &READ_WRITE).unwrap()
    };
    let readers = [world.map("f", &READ), world.map("f", &PRIVATE), lent];
    for operation in ALL {
        for reader in &readers {
            assert_eq!(operation(reader, u64::MAX, 1), Err(Eacces.into()));
            assert_eq!(operation(reader, 0, 0), Err(Eacces.into()));
        }
        for (offset, length) in [(5 * page(), 1), (u64::MAX, 2), (1, u64::MAX), (5 * page() + 1, 0)]
        {
            assert_eq!(operation(&mapping, offset, length), Err(OutOfBounds.into()));
        }
        assert_eq!(operation(&mapping, 5 * page(), 0), Ok(()));
    }
    // The file is longer than this store may make one. What it may have there is no more than that.
    assert_eq!(mapping.allocate(3 * page(), 1), Err(LimitExceeded.into()));
    assert_eq!(mapping.zero_range(0, 3 * page() + 1), Err(LimitExceeded.into()));
    assert_same!(all(&mapping), pattern(5 * page()));
    if !is_unsupported(&mapping.allocate(0, 3 * page())) {
        assert_eq!(mapping.punch_hole(4 * page(), page()), Ok(()));
    }
    mapping.close().unwrap();
    for operation in ALL {
        assert_eq!(operation(&mapping, u64::MAX, 1), Err(Closed.into()));
    }
}

#[test]
fn no_file_grows_that_others_cut_meanwhile() {
    on_each_file_system(|world| {
        const PAGES: u64 = 64;
        let path = world.sparse("f", PAGES * page());
        let mapping = world.map("f", &READ_WRITE);
        if is_unsupported(&mapping.punch_hole(0, page())) {
            return;
        }
        world.set_length("f", 5);
        for operation in ALL {
            operation(&mapping, 0, PAGES * page()).unwrap();
            operation(&mapping, 7 * page(), page()).unwrap();
            assert_eq!(world.length("f"), 5);
        }
        // The page that the file still has reads on; those behind it don't come back.
        assert_eq!(bytes(&mapping, 0, page()), vec![0; page() as usize]);
        assert_eq!(mapping.pread(page(), &mut [0]), Err(Sigbus.into()));

        let done = AtomicBool::new(false);
        let lengths = thread::scope(|scope| {
            let cutter = scope.spawn(|| {
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                let mut random = fastrand::Rng::with_seed(17);
                let mut rounds = 0;
                while !done.load(Relaxed) || rounds < 100 {
                    let length = random.u64(0..=PAGES * page());
                    file.set_len(length).unwrap();
                    thread::yield_now();
                    assert_eq!(file.metadata().unwrap().len(), length);
                    rounds += 1;
                }
                rounds
            });
            let mut random = fastrand::Rng::with_seed(18);
            for _ in 0..500 {
                let offset = random.u64(0..PAGES * page());
                let length = random.u64(0..=PAGES * page() - offset);
                random.choice(ALL).unwrap()(&mapping, offset, length).unwrap();
            }
            done.store(true, Relaxed);
            cutter.join().unwrap()
        });
        assert!(lengths >= 100);
    });
}

fn world(disk: &Path) -> World {
    World::at(disk, Limits::default(), FsPerms::ReadWrite)
}

/// Allocates more than there is, and holds the mapping to what it was.
fn hold_to_a_full_disk(world: &World) {
    let stat = rustix::fs::statvfs(world.path("")).unwrap();
    let size = 2 * stat.f_blocks * stat.f_frsize;
    world.sparse("f", size);
    let mapping = world.map("f", &READ_WRITE);
    mapping.pwrite(5, b"before").unwrap();
    for operation in [Mapping::allocate, Mapping::zero_range] {
        assert_eq!(operation(&mapping, page(), size - page()), Err(Enospc.into()));
        assert_eq!(world.length("f"), size);
        assert_eq!(bytes(&mapping, 5, 6), b"before");
    }
    // A hole makes room for what others write.
    mapping.punch_hole(page(), size - page()).unwrap();
    world.file("g", &pattern(16 * page()));
    assert_same!(world.contents("g"), pattern(16 * page()));
    mapping.sync(SyncMode::Sync).unwrap();
    assert_eq!(bytes(&mapping, 5, 6), b"before");
}

#[test]
fn blocks_that_a_full_tmpfs_has_not_are_enospc() {
    on_small_disk(1 << 20, |disk| hold_to_a_full_disk(&world(disk)));
}

#[test]
fn blocks_that_a_full_ext4_has_not_are_enospc() {
    on_ext4(|disk| hold_to_a_full_disk(&world(disk)));
}

#[test]
fn many_threads_change_the_blocks_of_one_mapping() {
    let world = World::new();
    world.sparse("f", 64 * page());
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    if is_unsupported(&mapping.punch_hole(0, page())) {
        return;
    }
    thread::scope(|scope| {
        for n in 0..4 {
            let mapping = &mapping;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(n);
                // A quarter of the file each, and the length of all of it.
                for round in 0..200u64 {
                    let at = (16 * n + random.u64(0..15)) * page();
                    ALL[round as usize % 2](mapping, at, page()).unwrap();
                    assert_eq!(bytes(mapping, at, page()), vec![0; page() as usize]);
                    mapping.pwrite(at, &[n as u8 + 1; 100]).unwrap();
                    mapping.set_len((64 + random.u64(0..3)) * page()).unwrap();
                    assert_eq!(bytes(mapping, at, 100), [n as u8 + 1; 100]);
                }
            });
        }
    });
    drop(mapping);
    world.assert_idle();
}
