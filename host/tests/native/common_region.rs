//! Stores that map one file: one region for all of them, and nothing of one is felt by another.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, Grants, Limits, Mapping, OpenOptions, SyncMode, Usage};
use std::sync::{Arc, Barrier};
use std::thread;

const PRIVATE_READ: OpenOptions = READ.private(true);

/// A granted directory, as stores see it that share regions.
fn sharing() -> World {
    let mut world = World::new();
    world.grants.common_regions(true);
    world
}

/// A store of its own: what it maps is charged to it alone.
struct Store<'a> {
    grants: &'a Grants,
    usage: Arc<Usage>,
}

impl<'a> Store<'a> {
    fn new(world: &'a World) -> Store<'a> {
        Store { grants: &world.grants, usage: Usage::new(Limits::default()) }
    }

    #[track_caller]
    fn map(&self, name: &str, options: &OpenOptions) -> Mapping {
        self.grants.open(&self.usage, &format!("/d/{name}"), options).unwrap()
    }
}

#[test]
fn one_range_serves_all_stores_of_one_mode() {
    let world = sharing();
    let contents = pattern(3 * page() + 5);
    let path = world.file("f", &contents);
    for options in [READ, WRITE, READ_WRITE] {
        let stores: Vec<_> = (0..100).map(|_| Store::new(&world)).collect();
        let mappings: Vec<_> = stores.iter().map(|store| store.map("f", &options)).collect();
        assert_eq!(mapped_ranges(&path), 1, "{options:?}");
        // One that can't change the file's length needs no descriptor.
        let descriptors = descriptors(&path).len();
        let expected = if writes(&options) { mappings.len() } else { 0 };
        assert_eq!(descriptors, expected, "{options:?}");
        for (store, mapping) in stores.iter().zip(mappings) {
            if reads(&options) {
                assert_same!(all(&mapping), contents, "{options:?}");
            }
            // Each is charged for all of it.
            let counted = store.usage.counters();
            assert_eq!((counted.mappings, counted.mapped_bytes), (1, contents.len() as u64));
            drop(mapping);
            assert_eq!(store.usage.counters().mapped_bytes, 0);
        }
        assert_eq!(mapped_ranges(&path), 0, "{options:?}");
    }
}

#[test]
fn ten_thousand_stores_take_address_space_once() {
    in_child(|| {
        let world = sharing();
        let length = 1 << 30;
        let path = world.sparse("index", length);
        let stores: Vec<_> = (0..10_000).map(|_| Store::new(&world)).collect();
        let first = stores[0].map("index", &READ);
        let before = status("VmSize");
        let mappings: Vec<_> = stores.iter().map(|store| store.map("index", &READ)).collect();
        // What they take is the memory that describes them.
        let taken = status("VmSize").saturating_sub(before);
        assert!(taken < 100 << 20, "{taken}");
        assert_eq!(mapped_ranges(&path), 1);
        assert_eq!(descriptors(&path).len(), 0);
        for mapping in &mappings {
            assert_eq!(mapping.len(), Ok(length));
            assert_eq!(bytes(mapping, length - 8, 8), [0; 8]);
        }
        drop((first, mappings));
        assert_eq!(mapped_ranges(&path), 0);
    });
}

#[test]
fn other_modes_lengths_and_files_have_their_own_range() {
    let world = sharing();
    let path = world.file("f", &pattern(2 * page()));
    let store = Store::new(&world);
    let read = store.map("f", &READ);
    // A reader's range is never one that can be written to.
    let written = store.map("f", &READ_WRITE);
    assert_eq!(mapped_ranges(&path), 2);
    // The two modes that write have one range between them, and each its mode.
    let write_only = store.map("f", &WRITE);
    assert_eq!(mapped_ranges(&path), 2);
    assert_eq!(write_only.pread(0, &mut []), Err(Eacces.into()));
    assert_eq!(read.pwrite(0, &[]), Err(Eacces.into()));
    // What is written privately is nobody else's. It takes a second range, which notices its loss.
    let private = [store.map("f", &PRIVATE), store.map("f", &PRIVATE)];
    assert_eq!(mapped_ranges(&path), 6);
    private[0].pwrite(0, b"mine").unwrap();
    assert_ne!(bytes(&private[1], 0, 4), b"mine");
    assert_ne!(bytes(&read, 0, 4), b"mine");
    // A file that others made longer is mapped at the length it has now.
    world.set_length("f", 3 * page());
    let longer = store.map("f", &READ);
    assert_eq!((read.len(), longer.len()), (Ok(2 * page()), Ok(3 * page())));
    assert_eq!(mapped_ranges(&path), 7);
    // Another file of that name is another file.
    std::fs::rename(&path, world.path("old")).unwrap();
    let contents = vec![b'n'; 3 * page() as usize];
    world.file("f", &contents);
    assert_same!(all(&store.map("f", &READ)), contents);
    assert_same!(all(&longer)[..1], pattern(1));
    drop((written, private));
}

#[test]
fn a_file_made_again_does_not_show_its_old_bytes() {
    let world = sharing();
    let store = Store::new(&world);
    // The file system may give its number to the next file as soon as nobody has it.
    for round in 0..200u64 {
        let contents = vec![round as u8; page() as usize];
        world.file("f", &contents);
        let mapping = store.map("f", &READ);
        assert_same!(all(&mapping), contents, "{round}");
        std::fs::remove_file(world.path("f")).unwrap();
        if round % 2 == 0 {
            drop(mapping);
        } else {
            world.file("f", &vec![!round as u8; page() as usize]);
            assert_same!(all(&store.map("f", &READ)), vec![!round as u8; page() as usize]);
            assert_same!(all(&mapping), contents, "{round}");
        }
    }
}

#[test]
fn without_common_regions_each_mapping_has_its_own_range() {
    let world = World::new();
    let path = world.file("f", &pattern(page()));
    let shares = {
        let mut grants = world.grants.clone();
        grants.common_regions(true);
        grants
    };
    let mapping = |grants: &Grants| grants.open(&world.usage, "/d/f", &READ).unwrap();
    let own = [mapping(&world.grants), mapping(&world.grants)];
    assert_eq!(mapped_ranges(&path), 2);
    // Nor is one of those found by others.
    let common = [mapping(&shares), mapping(&shares)];
    assert_eq!(mapped_ranges(&path), 3);
    drop((own, common));
}

#[test]
fn a_store_without_a_right_has_no_part_in_a_common_region() {
    in_child(|| {
        let world = sharing();
        set_mode(&world.path(""), 0o777);
        let path = world.file("f", &pattern(page()));
        let held = [READ, READ_WRITE].map(|options| world.map("f", &options));
        let reader = {
            let mut grants = Grants::default();
            grants.preopened_dir(world.path(""), "/d", iommap::FsPerms::ReadOnly).unwrap();
            grants.common_regions(true);
            grants
        };
        let open = |grants: &Grants, options: &OpenOptions| {
            grants.open(&Usage::new(Limits::default()), "/d/f", options).map(drop)
        };
        assert_eq!(open(&reader, &READ_WRITE), Err(Eacces.into()));
        assert_eq!(open(&reader, &READ), Ok(()));
        set_mode(&path, 0o000);
        as_nobody(|| {
            assert_eq!(open(&reader, &READ), Err(Eacces.into()));
            assert_eq!(open(&world.grants, &READ_WRITE), Err(Eacces.into()));
        });
        let short = Usage::new(limits(|l| l.mapped_bytes = page() - 1));
        set_mode(&path, 0o666);
        let refused = reader.open(&short, "/d/f", &READ);
        assert_eq!(refused.map(drop), Err(LimitExceeded.into()));
        drop(held);
    });
}

#[test]
fn a_write_is_seen_at_once_through_a_common_region() {
    let world = sharing();
    world.file("f", &pattern(2 * page()));
    let (one, other) = (Store::new(&world), Store::new(&world));
    let (writes, also_writes) = (one.map("f", &READ_WRITE), other.map("f", &READ_WRITE));
    let reads = other.map("f", &READ);
    writes.pwrite(page() - 2, b"told").unwrap();
    for mapping in [&also_writes, &reads] {
        assert_eq!(bytes(mapping, page() - 2, 4), b"told");
    }
    also_writes.pwrite(page() - 2, b"back").unwrap();
    assert_eq!(bytes(&writes, page() - 2, 4), b"back");
    for mapping in [&writes, &also_writes, &reads] {
        mapping.sync(SyncMode::Sync).unwrap();
        mapping.sync_range(page(), 1, SyncMode::Async).unwrap();
    }
    let counted = [&one, &other].map(|store| store.usage.counters().bytes_written);
    assert_eq!(counted, [4, 4]);
}

#[test]
fn a_close_or_new_length_leaves_the_others_theirs() {
    in_child(|| {
        let world = sharing();
        let contents = pattern(4 * page());
        let path = world.file("f", &contents);
        let store = Store::new(&world);
        let mappings: Vec<_> = (0..4).map(|_| store.map("f", &READ_WRITE)).collect();
        let [closes, grows, cuts, keeps] = &mappings[..] else { unreachable!() };
        closes.close().unwrap();
        assert_same!(all(keeps), contents);
        grows.set_len(6 * page()).unwrap();
        assert_eq!((grows.len(), keeps.len()), (Ok(6 * page()), Ok(4 * page())));
        assert_same!(all(keeps), contents);
        // Whoever comes now shares with the one that grew it.
        let late = store.map("f", &READ_WRITE);
        assert_eq!((late.len(), mapped_ranges(&path)), (Ok(6 * page()), 2));
        late.pwrite(5 * page(), b"late").unwrap();
        assert_eq!(bytes(grows, 5 * page(), 4), b"late");
        // A cut is the file's: the pages are gone for all, the mappings are not.
        cuts.set_len(page()).unwrap();
        assert_eq!(keeps.len(), Ok(4 * page()));
        assert_same!(bytes(keeps, 0, page()), contents[..page() as usize]);
        assert_eq!(keeps.pread(page(), &mut [0]), Err(Sigbus.into()));
        // And the others grow it back, each for itself.
        keeps.set_len(4 * page()).unwrap();
        assert_eq!(bytes(keeps, 3 * page(), 2), [0; 2]);
        assert_eq!(bytes(cuts, 0, 4), contents[..4]);
        assert_eq!(cuts.len(), Ok(page()));
    });
}

#[test]
fn a_fault_in_a_common_region_counts_for_one_store_alone() {
    in_child(|| {
        let world = sharing();
        world.file("f", &pattern(2 * page()));
        let (one, other) = (Store::new(&world), Store::new(&world));
        let (mine, theirs) = (one.map("f", &READ), other.map("f", &READ));
        world.set_length("f", 10);
        for _ in 0..3 {
            assert_eq!(mine.pread(page(), &mut [0]), Err(Sigbus.into()));
        }
        assert_eq!(bytes(&theirs, 0, 10), pattern(10));
        let faults = [&one, &other].map(|store| store.usage.counters().faults_recovered);
        assert_eq!(faults, [3, 0]);
    });
}

#[test]
fn a_locked_mapping_has_a_region_of_its_own() {
    in_child(|| {
        let mut world = World::limited(limits(|l| l.locked_bytes = 8 * page()));
        world.grants.common_regions(true);
        let path = world.file("f", &pattern(2 * page()));
        let free = world.map("f", &READ_WRITE);
        let locked = world.map("f", &READ_WRITE.lock(true));
        let also_free = world.map("f", &READ_WRITE);
        assert_eq!((mapped_ranges(&path), status("VmLck")), (2, 2 * page()));
        locked.set_len(3 * page()).unwrap();
        let longer = world.map("f", &READ_WRITE);
        assert_eq!((mapped_ranges(&path), status("VmLck")), (3, 3 * page()));
        // Its lock goes with it, whoever else has the file.
        locked.close().unwrap();
        assert_eq!(status("VmLck"), 0);
        drop((free, also_free, longer));
    });
}

#[test]
fn hints_of_one_store_are_not_felt_by_another() {
    in_child(|| {
        let world = sharing();
        let path = world.file("f", &pattern(16 * page()));
        for options in [READ, READ_WRITE] {
            let (first, second) = (world.map("f", &options), world.map("f", &options));
            assert_eq!(hinted(&path, "rr"), [false], "{options:?}");
            // Whoever hints has a region of its own from then on.
            first.advise(0, 0, Advice::Random).unwrap();
            assert_eq!(hinted(&path, "rr").iter().filter(|hinted| **hinted).count(), 1);
            second.advise(page(), page(), Advice::Sequential).unwrap();
            assert_eq!(hinted(&path, "sr").iter().filter(|hinted| **hinted).count(), 1);
            assert_eq!(hinted(&path, "rr").iter().filter(|hinted| **hinted).count(), 1);
            for mapping in [&first, &second] {
                assert_eq!(
                    mapping.advise(0, 16 * page() + 1, Advice::Random),
                    Err(OutOfBounds.into())
                );
            }
            // Who comes now gets none of them.
            let third = world.map("f", &options);
            assert_eq!(hinted(&path, "rr").iter().filter(|hinted| **hinted).count(), 1);
            if writes(&options) {
                third.pwrite(0, b"all the same").unwrap();
                assert_eq!(bytes(&first, 0, 12), b"all the same");
                assert_eq!(bytes(&second, 0, 12), b"all the same");
            }
            drop((first, second, third));
            assert_eq!(mapped_ranges(&path), 0, "{options:?}");
        }
    });
}

#[test]
fn private_mappings_have_regions_of_their_own() {
    let world = sharing();
    let path = world.file("f", &pattern(page()));
    for (options, ranges) in [(PRIVATE_READ, 2), (PRIVATE, 4)] {
        let held = [world.map("f", &options), world.map("f", &options)];
        assert_eq!(mapped_ranges(&path), ranges, "{options:?}");
        drop(held);
    }
}

#[test]
fn dontneed_leaves_the_pages_of_a_common_region() {
    in_child(|| {
        let world = sharing();
        let path = world.file("f", &pattern(16 * page()));
        let (one, other) = (world.map("f", &READ), world.map("f", &READ));
        one.advise(0, 0, Advice::WillNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 16 * page());
        one.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 16 * page());
        other.close().unwrap();
        one.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 0);
    });
}

#[test]
fn options_that_change_the_file_change_it_for_all() {
    in_child(|| {
        let world = sharing();
        let path = world.file("f", &pattern(2 * page()));
        let held = world.map("f", &READ_WRITE);
        // Emptied and made as long as it was: the very region that is there, over new bytes.
        let emptied = world.map("f", &TRUNCATE.size(2 * page()));
        assert_eq!(mapped_ranges(&path), 1);
        for mapping in [&held, &emptied] {
            assert_same!(all(mapping), vec![0; 2 * page() as usize]);
        }
        // One that fails leaves all as it was.
        let full = READ_WRITE.size(u64::MAX / 4);
        assert_eq!(world.refused("f", &full), LimitExceeded);
        held.pwrite(0, b"fine").unwrap();
        assert_eq!(bytes(&emptied, 0, 4), b"fine");
        let empty = world.map("f", &TRUNCATE);
        assert_eq!((empty.len(), held.len()), (Ok(0), Ok(2 * page())));
        assert_eq!(held.pread(0, &mut [0]), Err(Sigbus.into()));
    });
}

#[test]
fn threads_that_open_and_close_leave_nothing() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 3_000;
    in_child(|| {
        let world = sharing();
        let contents = pattern(2 * page());
        let path = world.file("f", &contents);
        let barrier = Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (world, barrier, contents) = (&world, &barrier, &contents);
                scope.spawn(move || {
                    let store = Store::new(world);
                    barrier.wait();
                    for round in 0..ROUNDS {
                        let options = [READ, READ_WRITE][(round % 2) as usize];
                        let mapping = store.map("f", &options);
                        assert_eq!(
                            bytes(&mapping, page() - 1, 2),
                            contents[page() as usize - 1..][..2]
                        );
                        let hint = [Advice::Random, Advice::DontNeed, Advice::WillNeed];
                        mapping.advise(0, 0, hint[((round + number) % 3) as usize]).unwrap();
                        match round % 3 {
                            0 => mapping.close().unwrap(),
                            1 if writes(&options) => mapping.set_len(2 * page()).unwrap(),
                            _ => {}
                        }
                    }
                    let counted = store.usage.counters();
                    assert_eq!((counted.mappings, counted.mapped_bytes), (0, 0));
                });
            }
        });
        assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (0, 0));
        assert_same!(world.contents("f"), contents);
        world.assert_idle();
    });
}
