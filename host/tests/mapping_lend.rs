//! A mapping that its embedder shares: guests open it by a name, and it stays the embedder's.

mod support;

use iommap::{
    AccessMode, Account, Advice, Error, FsPerms, Grants, Limits, Mapping, OpenOptions, SyncMode,
};
use std::sync::Arc;
use support::*;

const INDEX: &str = "/shared/index";
const PRIVATE_READ: OpenOptions = OpenOptions { private: true, ..READ };

fn shared(mapping: &Arc<Mapping>, perms: FsPerms) -> Grants {
    let mut grants = Grants::default();
    grants.share(INDEX, mapping.clone(), perms);
    grants
}

/// Opened by a store of its own.
fn open(grants: &Grants, path: &str, options: &OpenOptions) -> Result<Mapping, Error> {
    Mapping::open(grants, &Account::new(Limits::default()), path, options)
}

#[track_caller]
fn refused(grants: &Grants, options: &OpenOptions) -> Error {
    open(grants, INDEX, options).map(drop).unwrap_err()
}

#[test]
fn given_a_mapping_that_is_shared_when_guests_open_it_then_it_stays_one_range_without_descriptors()
{
    let world = World::new();
    let contents = pattern(3 * page() + 5);
    let path = world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let accounts: Vec<_> = (0..100).map(|_| Account::new(Limits::default())).collect();
    let open = |account| Mapping::open(&grants, account, INDEX, &READ).unwrap();
    let guests: Vec<_> = accounts.iter().map(open).collect();
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (1, 0));
    for (guest, account) in guests.iter().zip(&accounts) {
        assert_same!(all(guest), contents);
        let counted = account.counters();
        assert_eq!((counted.mappings, counted.mapped_bytes), (1, contents.len() as u64));
        assert_eq!((counted.opened, counted.bytes_read), (1, contents.len() as u64));
        guest.close().unwrap();
        assert_eq!(account.counters().mapped_bytes, 0);
        assert_eq!(guest.pread(0, &mut []), Err(Error::Closed));
    }
    // None of that was felt by the embedder.
    assert_same!(all(&mapping), contents);
    assert_eq!(world.account.counters().mappings, 1);
}

#[test]
fn given_each_permission_and_mode_when_opened_then_no_guest_gets_more_than_the_mapping_allows() {
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
                assert_eq!(opened.map(drop), Err(Error::Acces), "{own:?} {perms:?} {options:?}");
                continue;
            }
            let guest = opened.unwrap();
            let (reads, writes) = (guest.pread(0, &mut [0]), guest.pwrite(0, &[1]));
            assert_eq!(reads.is_ok(), options.access.reads(), "{own:?} {perms:?} {options:?}");
            assert_eq!(writes.is_ok(), options.access.writes(), "{own:?} {perms:?} {options:?}");
        }
    }
}

#[test]
fn given_a_mapping_shared_for_writing_when_one_writes_then_all_see_it_and_sync_reaches_the_file() {
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
fn given_a_private_mapping_that_is_shared_when_written_then_its_guests_see_it_and_not_the_file() {
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
fn given_options_that_ask_for_more_when_opened_then_a_clear_error_and_nothing_has_changed() {
    let world = World::limited(Limits { locked_bytes: 1 << 20, ..Limits::default() });
    let contents = pattern(page());
    world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let (reading, writing) =
        (shared(&mapping, FsPerms::ReadOnly), shared(&mapping, FsPerms::ReadWrite));
    let grows = |options| OpenOptions { size: Some(page() + 1), ..options };
    let exclusive = OpenOptions { exclusive: true, ..CREATE };
    // In mode `read` a guest can't ask for any of it, wherever.
    assert_eq!(refused(&writing, &OpenOptions { create: true, ..READ }), Error::BadArg);
    assert_eq!(refused(&writing, &grows(READ)), Error::BadArg);
    assert_eq!(refused(&reading, &grows(READ)), Error::BadArg);
    // What is granted for reading is not to be changed.
    for options in [CREATE, TRUNCATE, grows(READ_WRITE), exclusive.clone()] {
        assert_eq!(refused(&reading, &options), Error::Acces, "{options:?}");
    }
    assert_eq!(refused(&writing, &exclusive), Error::Exist);
    assert_eq!(refused(&writing, &TRUNCATE), Error::Acces);
    assert_eq!(refused(&writing, &grows(READ_WRITE)), Error::Acces);
    // A region of its own is not to be had.
    for grants in [&reading, &writing] {
        assert_eq!(refused(grants, &PRIVATE), Error::NotSup);
        assert_eq!(refused(grants, &OpenOptions { lock: true, ..READ }), Error::Acces);
        let locked =
            Mapping::open(grants, &world.account, INDEX, &OpenOptions { lock: true, ..READ });
        assert_eq!(locked.map(drop), Err(Error::NotSup));
    }
    // What is there already may be asked for.
    for options in [CREATE, OpenOptions { size: Some(page()), populate: true, ..READ_WRITE }] {
        assert_same!(all(&open(&writing, INDEX, &options).unwrap()), contents);
    }
    let guest = open(&writing, INDEX, &READ_WRITE).unwrap();
    for size in [0, page(), 2 * page()] {
        assert_eq!(guest.truncate(size), Err(Error::Acces), "{size}");
    }
    assert_same!(all(&mapping), contents);
    assert_same!(world.contents("f"), contents);
    // Nothing of what was refused is still charged.
    assert_eq!(world.account.counters().mappings, 1);
    assert_eq!(world.account.counters().opened, 1);
}

#[test]
fn given_a_guests_limits_when_it_opens_what_is_shared_then_they_hold() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = Arc::new(world.map("f", &READ));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let account =
        Account::new(Limits { mappings: 2, mapped_bytes: 2 * page(), ..Limits::default() });
    let open = || Mapping::open(&grants, &account, INDEX, &READ);
    let held = [open().unwrap(), open().unwrap()];
    assert_eq!(open().map(drop), Err(Error::LimitExceeded));
    drop(held);
    let account = Account::new(Limits { mapped_bytes: page() - 1, ..Limits::default() });
    let refused = Mapping::open(&grants, &account, INDEX, &READ);
    assert_eq!(refused.map(drop), Err(Error::LimitExceeded));
    assert_eq!(account.counters().mappings, 0);
}

#[test]
fn given_names_in_and_around_directories_when_opened_then_the_longest_and_latest_counts() {
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
        assert_eq!(content(&grants, path), Err(Error::NoEnt), "{path}");
    }
    assert_eq!(content(&grants, "/d/other").unwrap(), b"another");
    assert_eq!(content(&grants, "/index"), Err(Error::Acces));
    // Of one name the later.
    grants.preopened_dir(world.path(""), "/d/index", FsPerms::ReadOnly).unwrap();
    assert_eq!(content(&grants, "/d/index"), Err(Error::NotReg));
    assert_eq!(content(&grants, "/d/index/index").unwrap(), b"in the directory");
}

#[test]
fn given_an_embedder_that_closes_its_mapping_when_guests_come_then_it_is_gone_but_for_its_holders()
{
    let world = World::new();
    let contents = pattern(page());
    let path = world.file("f", &contents);
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let grants = shared(&mapping, FsPerms::ReadWrite);
    let guest = open(&grants, INDEX, &READ_WRITE).unwrap();
    mapping.close().unwrap();
    world.assert_idle();
    for options in [READ, READ_WRITE, CREATE, OpenOptions { exclusive: true, ..CREATE }] {
        assert_eq!(refused(&grants, &options), Error::NoEnt, "{options:?}");
    }
    assert_same!(all(&guest), contents);
    guest.pwrite(0, b"still").unwrap();
    guest.sync(SyncMode::Sync).unwrap();
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (1, 1));
    drop(guest);
    assert_eq!((mapped_ranges(&path), descriptors(&path).len()), (0, 0));
}

#[test]
fn given_an_embedder_that_truncates_its_mapping_when_guests_come_then_they_get_what_it_is_now() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = Arc::new(world.map("f", &READ_WRITE));
    let grants = shared(&mapping, FsPerms::ReadOnly);
    let early = open(&grants, INDEX, &READ).unwrap();
    mapping.truncate(3 * page()).unwrap();
    mapping.pwrite(2 * page(), b"new").unwrap();
    let late = open(&grants, INDEX, &READ).unwrap();
    assert_eq!((early.position(), late.position()), (Ok(page()), Ok(3 * page())));
    assert_eq!(bytes(&late, 2 * page(), 3), b"new");
    assert_same!(all(&early), pattern(page()));
    mapping.truncate(0).unwrap();
    assert_eq!(open(&grants, INDEX, &READ).unwrap().position(), Ok(0));
}

#[test]
fn given_a_shared_mapping_when_its_file_is_cut_then_sigbus_to_who_reads_and_counted_for_him() {
    in_child(|| {
        let world = World::new();
        world.file("f", &pattern(2 * page()));
        let mapping = Arc::new(world.map("f", &READ));
        let grants = shared(&mapping, FsPerms::ReadOnly);
        let account = Account::new(Limits::default());
        let guest = Mapping::open(&grants, &account, INDEX, &READ).unwrap();
        world.set_length("f", 1);
        assert_eq!(guest.pread(page(), &mut [0]), Err(Error::SigBus));
        assert_eq!(account.counters().faults_recovered, 1);
        assert_eq!(world.account.counters().faults_recovered, 0);
        assert_eq!(bytes(&mapping, 0, 1), pattern(1));
    });
}

#[test]
fn given_hints_when_a_guest_gives_them_then_only_the_embedders_are_applied() {
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
        assert_eq!(guest.advise(16 * page(), 1, Advice::DontNeed), Err(Error::OutOfBounds));
        // The embedder's are, with guests there.
        mapping.advise(page(), page(), Advice::Sequential).unwrap();
        assert_eq!(mapped_ranges(&path), 3);
        mapping.advise(0, 0, Advice::DontNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 0);
    });
}

#[test]
fn given_a_mapping_lent_when_shared_once_more_then_it_is_the_same_range() {
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
