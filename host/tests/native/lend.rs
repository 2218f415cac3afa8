//! A mapping that its embedder shares: guests open it by a name, and it stays the embedder's.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{
    AccessMode, Advice, Error, FsPerms, Grants, Limits, Mapping, OpenOptions, SyncMode, Usage,
};
use std::sync::Arc;

const INDEX: &str = "/shared/index";
const PRIVATE_READ: OpenOptions = READ.private(true);

fn shared(mapping: &Arc<Mapping>, perms: FsPerms) -> Grants {
    let mut grants = Grants::default();
    grants.share(INDEX, mapping.clone(), perms);
    grants
}

/// Opened by a store of its own.
fn open(grants: &Grants, path: &str, options: &OpenOptions) -> Result<Mapping, Error> {
    grants.open(&Usage::new(Limits::default()), path, options)
}

#[track_caller]
fn refused(grants: &Grants, options: &OpenOptions) -> Error {
    open(grants, INDEX, options).map(drop).unwrap_err()
}

#[test]
fn a_lent_mapping_stays_one_range_without_descriptors() {
    let world = World::new();
    let contents = pattern(3 * page() + 5);
    let path = world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let usages: Vec<_> = (0..100).map(|_| Usage::new(Limits::default())).collect();
    let open = |usage| grants.open(usage, INDEX, &READ).unwrap();
    let guests: Vec<_> = usages.iter().map(open).collect();
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (1, 0));
    for (guest, usage) in guests.iter().zip(&usages) {
        assert_same!(all(guest), contents);
        let counted = usage.counters();
        assert_eq!((counted.mappings, counted.mapped_bytes), (1, contents.len() as u64));
        assert_eq!((counted.opened, counted.bytes_read), (1, contents.len() as u64));
        guest.close().unwrap();
        assert_eq!(usage.counters().mapped_bytes, 0);
        assert_eq!(guest.pread(0, &mut []), Err(Closed.into()));
    }
    // None of that was felt by the embedder.
    assert_same!(all(&mapping), contents);
    assert_eq!(world.usage.counters().mappings, 1);
}

#[test]
fn no_guest_gets_more_than_the_lent_mapping_allows() {
    let world = World::new();
    world.file("f", &pattern(page()));
    // The mapping's mode, what is granted, and the modes in which guests may open it.
    let all: &[OpenOptions] = &[READ, PRIVATE_READ, WRITE, READ_WRITE];
    let table: [(OpenOptions, FsPerms, &[OpenOptions]); 7] = [
        (READ, FsPerms::ReadOnly, &[READ, PRIVATE_READ]),
        (READ, FsPerms::ReadWrite, &[READ, PRIVATE_READ]),
        (READ_WRITE, FsPerms::ReadOnly, &[READ, PRIVATE_READ]),
        (READ_WRITE, FsPerms::ReadWrite, all),
        (WRITE, FsPerms::ReadOnly, &[]),
        (WRITE, FsPerms::ReadWrite, &[WRITE]),
        (PRIVATE, FsPerms::ReadWrite, all),
    ];
    for (own, perms, allowed) in table {
        let mapping = Arc::new(world.map("f", &own));
        let grants = shared(&mapping, perms);
        for options in [READ, PRIVATE_READ, WRITE, READ_WRITE] {
            let opened = open(&grants, INDEX, &options);
            if !allowed.contains(&options) {
                assert_eq!(opened.map(drop), Err(Eacces.into()), "{own:?} {perms:?} {options:?}");
                continue;
            }
            let guest = opened.unwrap();
            let (read, written) = (guest.pread(0, &mut [0]), guest.pwrite(0, &[1]));
            assert_eq!(read.is_ok(), reads(&options), "{own:?} {perms:?} {options:?}");
            assert_eq!(written.is_ok(), writes(&options), "{own:?} {perms:?} {options:?}");
        }
    }
}

#[test]
fn a_write_to_a_lent_mapping_is_seen_by_all_and_synced() {
    let world = World::new();
    world.file("f", &pattern(2 * page()));
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let (writers, readers) =
        (shared(&mapping, FsPerms::ReadWrite), shared(&mapping, FsPerms::ReadOnly));
    let (one, other) =
        (open(&writers, INDEX, &READ_WRITE).unwrap(), open(&writers, INDEX, &WRITE).unwrap());
    let reader = open(&readers, INDEX, &READ).unwrap();
    one.pwrite(page() - 2, b"from").unwrap();
    other.pwrite(page() + 2, b"both").unwrap();
    for mapping in [&*mapping, &one, &reader] {
        assert_eq!(bytes(mapping, page() - 2, 8), b"fromboth");
    }
    for mapping in [&one, &other, &reader] {
        for mode in [SyncMode::Sync, SyncMode::Async] {
            mapping.sync(mode).unwrap();
            mapping.sync_range(page(), 4, mode).unwrap();
        }
    }
    assert_eq!(world.contents("f")[page() as usize - 2..][..8], *b"fromboth");
}

#[test]
fn guests_of_a_lent_private_mapping_see_its_writes() {
    let world = World::new();
    let contents = pattern(page());
    world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &PRIVATE));
    let grants = shared(&mapping, FsPerms::ReadWrite);
    mapping.pwrite(0, b"prepared").unwrap();
    let (one, other) =
        (open(&grants, INDEX, &READ_WRITE).unwrap(), open(&grants, INDEX, &READ).unwrap());
    one.pwrite(0, b"changed!").unwrap();
    one.sync(SyncMode::Sync).unwrap();
    assert_eq!(bytes(&other, 0, 8), b"changed!");
    assert_same!(world.contents("f"), contents);
}

#[test]
fn options_that_a_lent_mapping_cannot_serve_are_refused() {
    let world = World::limited(limits(|l| l.locked_bytes = 1 << 20));
    let contents = pattern(page());
    world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let (reading, writing) =
        (shared(&mapping, FsPerms::ReadOnly), shared(&mapping, FsPerms::ReadWrite));
    let grows = |options: OpenOptions| options.size(page() + 1);
    let exclusive = CREATE.exclusive(true);
    // In mode `read` a guest can't ask for any of it, wherever.
    assert_eq!(refused(&writing, &READ.create(true)), Badarg);
    assert_eq!(refused(&writing, &grows(READ)), Badarg);
    assert_eq!(refused(&reading, &grows(READ)), Badarg);
    // What is granted for reading is not to be changed.
    for options in [CREATE, TRUNCATE, grows(READ_WRITE), exclusive] {
        assert_eq!(refused(&reading, &options), Eacces, "{options:?}");
    }
    assert_eq!(refused(&writing, &exclusive), Eexist);
    assert_eq!(refused(&writing, &TRUNCATE), Eacces);
    assert_eq!(refused(&writing, &grows(READ_WRITE)), Eacces);
    // A region of its own is not to be had.
    for grants in [&reading, &writing] {
        assert_eq!(refused(grants, &PRIVATE), Enotsup);
        assert_eq!(refused(grants, &READ.lock(true)), Eacces);
        let locked = grants.open(&world.usage, INDEX, &READ.lock(true));
        assert_eq!(locked.map(drop), Err(Enotsup.into()));
    }
    // What is there already may be asked for.
    for options in [CREATE, READ_WRITE.size(page()).populate(true)] {
        assert_same!(all(&open(&writing, INDEX, &options).unwrap()), contents);
    }
    let guest = open(&writing, INDEX, &READ_WRITE).unwrap();
    for size in [0, page(), 2 * page()] {
        assert_eq!(guest.set_len(size), Err(Eacces.into()), "{size}");
    }
    assert_same!(all(&mapping), contents);
    assert_same!(world.contents("f"), contents);
    // Nothing of what was refused is still charged.
    assert_eq!(world.usage.counters().mappings, 1);
    assert_eq!(world.usage.counters().opened, 1);
}

#[test]
fn a_guests_limits_hold_for_a_lent_mapping() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = Arc::new(world.map("f", &READ));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let usage = Usage::new(limits(|l| {
        l.mappings = 2;
        l.mapped_bytes = 2 * page();
    }));
    let open = || grants.open(&usage, INDEX, &READ);
    let held = [open().unwrap(), open().unwrap()];
    assert_eq!(open().map(drop), Err(LimitExceeded.into()));
    drop(held);
    let usage = Usage::new(limits(|l| l.mapped_bytes = page() - 1));
    let refused = grants.open(&usage, INDEX, &READ);
    assert_eq!(refused.map(drop), Err(LimitExceeded.into()));
    assert_eq!(usage.counters().mappings, 0);
}

#[test]
fn of_several_grants_the_longest_and_latest_counts() {
    let world = World::new();
    world.file("index", b"in the directory");
    world.file("other", b"another");
    let mapping = Arc::new(world.map("other", &READ));
    let mut grants = world.grants.clone();
    let content = |grants: &Grants, path: &str| open(grants, path, &READ).map(|m| all(&m));
    assert_eq!(content(&grants, "/d/index").unwrap(), b"in the directory");
    grants.share("d/index", mapping.clone(), FsPerms::ReadOnly);
    for path in ["/d/index", "d//./index", "./d/index"] {
        assert_eq!(content(&grants, path).unwrap(), b"another", "{path}");
    }
    // It is a file, with nothing below it.
    for path in ["/d/index/", "/d/index/.", "/d/index/x", "/d/index/../other"] {
        assert_eq!(content(&grants, path), Err(Enoent.into()), "{path}");
    }
    assert_eq!(content(&grants, "/d/other").unwrap(), b"another");
    assert_eq!(content(&grants, "/index"), Err(Eacces.into()));
    // Of one name the later.
    grants.preopened_dir(world.path(""), "/d/index", FsPerms::ReadOnly).unwrap();
    assert_eq!(content(&grants, "/d/index"), Err(Enotreg.into()));
    assert_eq!(content(&grants, "/d/index/index").unwrap(), b"in the directory");
}

#[test]
fn a_lent_mapping_that_is_closed_stays_with_its_holders() {
    let world = World::new();
    let contents = pattern(page());
    let path = world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let grants = shared(&mapping, FsPerms::ReadWrite);
    let guest = open(&grants, INDEX, &READ_WRITE).unwrap();
    mapping.close().unwrap();
    world.assert_idle();
    for options in [READ, READ_WRITE, CREATE, CREATE.exclusive(true)] {
        assert_eq!(refused(&grants, &options), Enoent, "{options:?}");
    }
    assert_same!(all(&guest), contents);
    guest.pwrite(0, b"still").unwrap();
    guest.sync(SyncMode::Sync).unwrap();
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (1, 1));
    drop(guest);
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (0, 0));
}

#[test]
fn guests_get_a_lent_mapping_at_the_length_it_has_now() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let early = open(&grants, INDEX, &READ).unwrap();
    mapping.set_len(3 * page()).unwrap();
    mapping.pwrite(2 * page(), b"new").unwrap();
    let late = open(&grants, INDEX, &READ).unwrap();
    assert_eq!((early.len(), late.len()), (Ok(page()), Ok(3 * page())));
    assert_eq!(bytes(&late, 2 * page(), 3), b"new");
    assert_same!(all(&early), pattern(page()));
    mapping.set_len(0).unwrap();
    assert_eq!(open(&grants, INDEX, &READ).unwrap().len(), Ok(0));
}

#[test]
fn a_fault_on_a_lent_mapping_counts_for_who_reads() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(2 * page()));
        let mapping = Arc::new(world.map("f", &READ));
        let grants = shared(&mapping, FsPerms::ReadOnly);
        let usage = Usage::new(Limits::default());
        let guest = grants.open(&usage, INDEX, &READ).unwrap();
        world.set_length("f", 1);
        assert_eq!(guest.pread(page(), &mut [0]), Err(Sigbus.into()));
        assert_eq!(usage.counters().faults_recovered, 1);
        assert_eq!(world.usage.counters().faults_recovered, 0);
        assert_eq!(bytes(&mapping, 0, 1), pattern(1));
    });
}

#[test]
fn only_the_embedders_hints_apply_to_a_lent_mapping() {
    in_child(|| {
        let world = World::new();
        let path = world.file("f", &pattern(16 * page()));
        let mapping = Arc::new(world.map("f", &READ));
        let grants = shared(&mapping, FsPerms::ReadOnly);
        mapping.advise(0, 0, Advice::Random).unwrap();
        assert_eq!(mapped_ranges(&path), 1);
        let guest = open(&grants, INDEX, &READ).unwrap();
        // Not even part of it becomes a range of its own.
        for hint in [Advice::Normal, Advice::Sequential, Advice::DontNeed, Advice::Random] {
            assert_eq!(guest.advise(page(), page(), hint), Ok(()), "{hint:?}");
            assert_eq!(mapped_ranges(&path), 1, "{hint:?}");
        }
        guest.advise(0, 0, Advice::WillNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 16 * page());
        guest.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 16 * page());
        assert_eq!(guest.advise(16 * page(), 1, Advice::DontNeed), Err(OutOfBounds.into()));
        // The embedder's are, with guests there.
        mapping.advise(page(), page(), Advice::Sequential).unwrap();
        assert_eq!(mapped_ranges(&path), 3);
        mapping.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 0);
    });
}

#[test]
fn a_mapping_lent_once_more_is_the_same_range() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let mapping = Arc::new(world.map("f", &READ));
    let guest = Arc::new(open(&shared(&mapping, FsPerms::ReadOnly), INDEX, &READ).unwrap());
    let again = open(&shared(&guest, FsPerms::ReadWrite), INDEX, &READ).unwrap();
    drop((mapping, guest));
    assert_eq!(all(&again), b"contents");
    assert_eq!(again.access(), AccessMode::Read);
    assert_eq!(mapped_ranges(&path), 1);
}
