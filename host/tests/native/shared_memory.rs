//! Shared memory without a file on a disk: regions that stores open by name, as files.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::LockMode::{Exclusive, Shared};
use iommap::{Error, FsPerms, Grants, Limits, Mapping, OpenOptions, Range, SharedMemory, Usage};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

fn grants(memory: &SharedMemory, perms: FsPerms) -> Grants {
    let mut grants = Grants::default();
    grants.shared_memory("/shm", memory, perms);
    grants
}

/// Opened by a store of its own.
fn open(memory: &SharedMemory, name: &str, options: &OpenOptions) -> Result<Mapping, Error> {
    let usage = Usage::new(limits(|limits| limits.locks = 9));
    grants(memory, FsPerms::ReadWrite).open(&usage, &format!("/shm/{name}"), options)
}

fn map(memory: &SharedMemory, name: &str, options: &OpenOptions) -> Mapping {
    open(memory, name, options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn refused(memory: &SharedMemory, name: &str, options: &OpenOptions) -> ErrorKind {
    open(memory, name, options).map(drop).unwrap_err().kind()
}

#[test]
fn regions_are_opened_made_and_emptied_as_files_are() {
    let memory = SharedMemory::new(100 * page());
    assert_eq!(refused(&memory, "f", &READ_WRITE), Enoent);
    let one = map(&memory, "f", &CREATE.size(3 * page()));
    let other = map(&memory, "f", &CREATE);
    let reader = map(&memory, "f", &READ);
    one.pwrite(2 * page() - 3, b"seen by all").unwrap();
    for mapping in [&one, &other, &reader] {
        assert_eq!(bytes(mapping, 2 * page() - 3, 11), b"seen by all");
    }
    assert_eq!(reader.pwrite(0, b"x"), Err(Eacces.into()));
    assert_eq!(refused(&memory, "f", &CREATE.exclusive(true)), Eexist);
    assert_eq!(refused(&memory, "f", &READ.size(4 * page())), Badarg);
    // Another pool has other regions.
    assert_eq!(refused(&SharedMemory::new(page()), "f", &READ), Enoent);

    let private = map(&memory, "f", &PRIVATE);
    private.pwrite(0, b"mine").unwrap();
    assert_eq!(bytes(&one, 0, 4), [0; 4]);

    let longer = map(&memory, "f", &READ_WRITE.size(5 * page()));
    assert_eq!(bytes(&longer, 2 * page() - 3, 11), b"seen by all");
    other.set_len(page()).unwrap();
    assert_eq!(one.pread(page(), &mut [0]), Err(Sigbus.into()));
    let emptied = map(&memory, "f", &TRUNCATE.size(2 * page()));
    assert_eq!(bytes(&emptied, 0, 2 * page()), vec![0; 2 * page() as usize]);
    assert_eq!(bytes(&one, 0, page()), vec![0; page() as usize]);
    one.sync(iommap::SyncMode::Sync).unwrap();
    assert_eq!(one.sync_entry(), Err(Enotsup.into()));
    assert_eq!(memory.names(), ["f"]);

    for (name, kind) in
        [("", Enotreg), (".", Enotreg), ("../f", Eacces), ("f/g", Enoent), ("g/", Enoent)]
    {
        assert_eq!(refused(&memory, name, &CREATE), kind, "{name}");
    }
    assert_eq!(memory.names(), ["f"]);
}

#[test]
fn a_grant_of_memory_for_reading_makes_and_changes_nothing() {
    let memory = SharedMemory::new(100 * page());
    map(&memory, "f", &CREATE.size(page())).pwrite(0, b"theirs").unwrap();
    let grants = grants(&memory, FsPerms::ReadOnly);
    let open = |path: &str, options: &OpenOptions| {
        grants.open(&Usage::new(Limits::default()), path, options)
    };
    assert_eq!(bytes(&open("/shm/f", &READ).unwrap(), 0, 6), b"theirs");
    for options in [READ_WRITE, WRITE, CREATE, TRUNCATE, PRIVATE.size(2 * page())] {
        assert_eq!(open("/shm/f", &options).map(drop), Err(Eacces.into()), "{options:?}");
    }
    assert_eq!(open("/shm/new", &CREATE).map(drop), Err(Eacces.into()));
    let private = open("/shm/f", &PRIVATE).unwrap();
    private.pwrite(0, b"ours").unwrap();
    assert_eq!(private.set_len(9), Err(Eacces.into()));
    assert_eq!(bytes(&open("/shm/f", &READ).unwrap(), 0, 6), b"theirs");
    assert_eq!((memory.names(), memory.used_bytes()), (vec!["f".to_owned()], page()));
}

#[test]
fn a_pool_has_so_many_bytes_and_regions() {
    let memory = SharedMemory::with_regions(8 * page(), 2);
    let one = map(&memory, "one", &CREATE.size(5 * page() + 1));
    assert_eq!(memory.used_bytes(), 6 * page());
    assert_eq!(refused(&memory, "two", &CREATE.size(2 * page() + 1)), LimitExceeded);
    assert_eq!((memory.names().len(), memory.used_bytes()), (1, 6 * page()), "nothing is left");
    let two = map(&memory, "two", &CREATE);
    assert_eq!(refused(&memory, "three", &CREATE), LimitExceeded);
    assert_eq!(two.set_len(2 * page() + 1), Err(LimitExceeded.into()));
    assert_eq!(one.set_len(u64::MAX / 2).unwrap_err(), LimitExceeded);
    assert_eq!((two.len(), one.len()), (Ok(0), Ok(5 * page() + 1)));
    two.set_len(2 * page()).unwrap();
    two.pwrite(0, &pattern(2 * page())).unwrap();
    one.set_len(1).unwrap();
    assert_eq!(memory.used_bytes(), 3 * page());
    drop(map(&memory, "two", &TRUNCATE.size(7 * page())));
    assert_eq!(memory.used_bytes(), 8 * page());
    assert_eq!(refused(&memory, "two", &TRUNCATE.size(7 * page() + 1)), LimitExceeded);

    // What is removed is there for who has it, and counts that long.
    assert!(memory.remove("two"));
    assert_eq!(bytes(&two, 0, 2 * page()), vec![0; 2 * page() as usize]);
    assert_eq!(refused(&memory, "two", &CREATE), LimitExceeded);
    drop(two);
    assert_eq!(memory.used_bytes(), page());
    map(&memory, "two", &CREATE.size(7 * page()));

    // A store has its own limits, too.
    let usage = Usage::new(limits(|limits| limits.file_bytes = page()));
    let grants = grants(&memory, FsPerms::ReadWrite);
    let longer = grants.open(&usage, "/shm/one", &CREATE.size(page() + 1));
    assert_eq!(longer.map(drop), Err(LimitExceeded.into()));
}

#[test]
fn all_who_create_one_region_at_once_open_it() {
    for round in 0..300 {
        let memory = SharedMemory::with_regions(page(), 1);
        let begin = Barrier::new(8);
        let create = || {
            begin.wait();
            open(&memory, "f", &CREATE.size(page()))
        };
        let all: Vec<Mapping> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            let opened = all.into_iter().map(|one| one.join().unwrap());
            opened.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{round}: {error}"))
        });
        all[0].pwrite(7, b"one").unwrap();
        assert!(all.iter().all(|mapping| bytes(mapping, 7, 3) == b"one"));
        assert_eq!(memory.used_bytes(), page());
    }
}

#[test]
fn a_region_that_could_not_be_made_is_in_nobodys_way() {
    for _ in 0..300 {
        let memory = SharedMemory::with_regions(page(), 1);
        let begin = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                assert_eq!(refused(&memory, "large", &CREATE.size(page() + 1)), LimitExceeded);
            });
            begin.wait();
            map(&memory, "f", &CREATE.size(page()));
        });
    }
}

/// The memory files that this process has open.
fn memory_files() -> Vec<PathBuf> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    descriptors
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = fs::read_link(path).unwrap_or_default();
            file.to_string_lossy().contains("iommap: shared memory")
        })
        .collect()
}

fn memory_maps() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("iommap: shared memory")).count()
}

#[test]
fn a_region_goes_with_the_pool_and_its_last_mapping() {
    in_child(|| {
        let memory = SharedMemory::new(100 * page());
        let one = map(&memory, "f", &CREATE.size(9 * page()));
        one.pwrite(0, b"here").unwrap();
        drop((one, map(&memory, "g", &CREATE.size(1))));
        assert_eq!((memory_files().len(), memory_maps()), (2, 0));
        let reader = map(&memory, "f", &READ);
        let again = memory.clone();
        drop(memory);
        assert_eq!(bytes(&map(&again, "f", &READ), 0, 4), b"here");
        drop(again);
        assert_eq!(bytes(&reader, 0, 4), b"here");
        assert_eq!(memory_maps(), 1);
        drop(reader);
        assert_eq!((memory_files().len(), memory_maps()), (0, 0));
    });
}

#[test]
fn a_mapping_tells_that_its_region_has_gone_and_maps_the_next() {
    let memory = SharedMemory::new(100 * page());
    let grants = grants(&memory, FsPerms::ReadWrite);
    let mut limits = Limits::default();
    limits.watches = 1;
    let usage = Usage::new(limits);
    let old = grants.open(&usage, "/shm/f", &CREATE.size(page())).unwrap();
    let state = grants.changed(&old).unwrap();
    assert!(!state.replaced && !state.gone);
    assert!(memory.remove("f"));
    assert!(grants.changed(&old).unwrap().gone);
    map(&memory, "f", &CREATE.size(2 * page())).pwrite(0, b"next").unwrap();
    let state = grants.changed(&old).unwrap();
    assert!(state.replaced && !state.gone);
    let next = grants.remap(&old).unwrap();
    assert_eq!((bytes(&next, 0, 4), next.len()), (b"next".to_vec(), Ok(2 * page())));
}

#[test]
fn stores_lock_ranges_of_a_region() {
    let memory = SharedMemory::new(100 * page());
    let [one, other] = [(); 2].map(|()| map(&memory, "f", &CREATE.size(page())));
    let range = |offset, length| Range { offset, length };
    let locked = |mapping: &Mapping, offset, length, mode| {
        mapping.lock(range(offset, length), mode, Some(Duration::ZERO)).unwrap()
    };
    assert!(locked(&one, 0, 10, Exclusive));
    assert!(!locked(&other, 9, 1, Shared) && locked(&other, 10, 0, Exclusive));
    one.unlock(range(0, 5)).unwrap();
    assert!(locked(&other, 0, 5, Exclusive) && !locked(&other, 5, 1, Shared));
    drop(one);
    assert!(locked(&other, 5, 1, Exclusive));
}

#[test]
fn no_memory_is_had_behind_a_regions_end() {
    in_child(|| {
        let memory = SharedMemory::new(100 * page());
        let [one, other] = [(); 2].map(|()| map(&memory, "f", &CREATE.size(64 * page())));
        other.set_len(2 * page() + 1).unwrap();
        let files = memory_files();
        let has = || fs::metadata(&files[0]).unwrap().blocks() * 512;
        assert_eq!((memory.used_bytes(), has()), (3 * page(), 3 * page()));
        // Its mapping is longer than the region is by now.
        one.allocate(0, 64 * page()).unwrap();
        one.zero_range(page(), 63 * page()).unwrap();
        one.allocate(7 * page(), 50 * page()).unwrap();
        assert_eq!((memory.used_bytes(), has()), (3 * page(), 3 * page()));
        one.punch_hole(0, 64 * page()).unwrap();
        assert!(has() <= page());
        assert_eq!(bytes(&other, 0, 2 * page()), vec![0; 2 * page() as usize]);
    });
}

#[test]
fn stores_that_change_lengths_at_once_have_what_the_pool_counts() {
    const MOST: u64 = 40;
    let memory = SharedMemory::with_regions(MOST * page(), 8);
    thread::scope(|scope| {
        for seed in 0..4 {
            let memory = &memory;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut refusals = 0;
                for _ in 0..500 {
                    let name = *random.choice(["a", "b", "c"].iter()).unwrap();
                    let size = random.u64(0..20 * page());
                    let options = *random.choice(&[CREATE, CREATE.truncate(true)]).unwrap();
                    let done = open(memory, name, &options.size(size)).and_then(|mapping| {
                        mapping.allocate(0, mapping.len()?)?;
                        mapping.set_len(random.u64(0..20 * page()))
                    });
                    match done {
                        Ok(()) => {}
                        Err(error) if error == LimitExceeded => refusals += 1,
                        Err(error) => panic!("{error}"),
                    }
                    assert!(memory.used_bytes() <= MOST * page());
                    if random.u8(0..20) == 0 {
                        memory.remove(name);
                    }
                }
                assert!(refusals > 0);
            });
        }
    });
    let lengths = memory
        .names()
        .into_iter()
        .map(|name| map(&memory, &name, &READ).len().unwrap().next_multiple_of(page()));
    assert_eq!(memory.used_bytes(), lengths.sum::<u64>());
    memory.names().iter().for_each(|name| assert!(memory.remove(name)));
    assert_eq!(memory.used_bytes(), 0);
}
