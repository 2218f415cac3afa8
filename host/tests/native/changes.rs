//! What has become of a file: cut, grown, replaced, gone, and what is told of none of it.

use crate::support::*;
use iommap::{FileState, FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, SystemTime};

const READ: OpenOptions = OpenOptions::new().read(true);

/// A world whose stores may have so many watches.
fn world(watches: u64) -> World {
    World::limited(limits(|limits| limits.watches = watches))
}

/// What differs but for the time of the last modification, which a file system counts in steps.
#[track_caller]
fn told(world: &World, mapping: &Mapping) -> (u64, [bool; 4]) {
    let FileState { length, shorter, longer, replaced, gone, .. } =
        world.grants.changed(mapping).unwrap();
    (length, [shorter, longer, replaced, gone])
}

const SAME: [bool; 4] = [false; 4];
const SHORTER: [bool; 4] = [true, false, false, false];
const LONGER: [bool; 4] = [false, true, false, false];
const REPLACED: [bool; 4] = [false, false, true, false];
const GONE: [bool; 4] = [false, false, false, true];

#[test]
fn a_file_that_was_cut_or_has_grown_is_shorter_or_longer() {
    let world = world(1);
    let path = world.file("f", b"contents");
    for options in [READ, READ.private(true), READ.write(true)] {
        let mapping = world.map("f", &options);
        assert_eq!(told(&world, &mapping), (8, SAME));
        world.set_length("f", 3);
        assert_eq!(told(&world, &mapping), (3, SHORTER));
        assert_eq!(mapping.file_len(), Ok(3));
        world.set_length("f", 9);
        assert_eq!(told(&world, &mapping), (9, LONGER));
        world.set_length("f", 8);
    }
    let mapping = world.map("f", &READ.write(true));
    mapping.set_len(20).unwrap();
    assert_eq!(told(&world, &mapping), (20, SAME), "by the mapping's own length");
    let before = world.grants.changed(&mapping).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_000_000_123);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    let after = world.grants.changed(&mapping).unwrap();
    assert!(after.modified && after.modified_at != before.modified_at);
    assert_eq!(after.modified_at, 1_000_000_123);
}

#[test]
fn a_path_that_names_another_file_or_none_is_told() {
    let world = world(1);
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    let change = |what: &dyn Fn(&Path)| {
        what(&path);
        told(&world, &mapping).1
    };
    let aside = world.path("aside");
    assert_eq!(change(&|path| fs::rename(path, &aside).unwrap()), GONE);
    assert_eq!(change(&|path| fs::write(path, "another").unwrap()), REPLACED);
    assert_eq!(change(&|path| fs::rename(&aside, path).unwrap()), SAME, "it is back");
    fs::rename(&path, &aside).unwrap();
    assert_eq!(change(&|path| fs::create_dir(path).unwrap()), REPLACED);
    fs::remove_dir(&path).unwrap();
    assert_eq!(change(&|path| std::os::unix::fs::symlink("aside", path).unwrap()), SAME);
    assert_eq!(told(&world, &mapping).0, 8, "the file is the one that was mapped");
    fs::remove_file(&path).unwrap();
    fs::remove_file(&aside).unwrap();
    assert_eq!(told(&world, &mapping), (8, GONE));
}

#[test]
fn nothing_outside_the_grant_is_told() {
    let world = world(1);
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    for target in [&secret, &outside.path().join("nothing")] {
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(target, &path).unwrap();
        assert_eq!(told(&world, &mapping), (8, GONE), "{target:?}");
        let remapped = world.grants.remap(&mapping).unwrap_err();
        assert_eq!(remapped, world.open("f", &READ).unwrap_err());
    }
    // Another's file, opened through it by a descriptor, has no path here.
    let file = Arc::new(File::open(&secret).unwrap());
    let given = Mapping::from_file(&file, "/d/f", FsPerms::ReadOnly, &world.usage, &READ).unwrap();
    assert_eq!(told(&world, &given), (6, SAME));
    assert_eq!(world.grants.remap(&given).unwrap_err(), ErrorKind::Enotsup);
}

#[test]
fn a_remapped_file_is_what_the_path_names_with_the_same_options() {
    let world = world(1);
    let path = world.file("f", b"old");
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).size(5);
    let old = world.map("f", &options);
    old.pwrite(0, b"older").unwrap();
    fs::write(world.path("new"), b"newest one").unwrap();
    fs::rename(world.path("new"), &path).unwrap();
    let new = world.grants.remap(&old).unwrap();
    assert_eq!(new.len(), Ok(10), "it is not emptied");
    new.pwrite(0, b"NEW").unwrap();
    assert_eq!(world.contents("f"), b"NEWest one");
    let mut bytes = [0; 5];
    old.pread(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"older", "the old pages are there until they are closed");
    fs::remove_file(&path).unwrap();
    assert_eq!(world.grants.remap(&new).unwrap_err(), ErrorKind::Enoent, "it makes no file");
    assert_eq!(world.usage.counters().mappings, 2);
    old.close().unwrap();
    assert_eq!(world.grants.remap(&old).unwrap_err(), ErrorKind::Closed);
    assert_eq!(world.grants.changed(&old).unwrap_err(), ErrorKind::Closed);
}

#[test]
fn a_remap_counts_against_the_limit_like_any_mapping() {
    let world = World::limited(limits(|limits| {
        limits.watches = 1;
        limits.mappings = 2;
    }));
    world.file("f", b"contents");
    let one = world.map("f", &READ);
    let _other = world.grants.remap(&one).unwrap();
    assert_eq!(world.grants.remap(&one).unwrap_err(), ErrorKind::LimitExceeded);
}

#[test]
fn a_mapping_that_is_shared_is_replaced_when_another_has_its_name() {
    let world = world(1);
    let path = world.file("f", b"contents");
    let mine = Mapping::options().read(true).lockable(true).open(&path).unwrap();
    let mut guests = Grants::default();
    guests.share("/shared/f", mine, FsPerms::ReadOnly);
    let lent = guests.open(&world.usage, "/shared/f", &READ).unwrap();
    assert!(!guests.changed(&lent).unwrap().replaced);
    let next = Arc::new(Mapping::open(world.file("g", b"next")).unwrap());
    guests.share("/shared/f", next.clone(), FsPerms::ReadOnly);
    let state = guests.changed(&lent).unwrap();
    assert!(state.replaced && !state.gone, "{state:?}");
    assert_eq!(guests.remap(&lent).unwrap().len(), Ok(4));
    next.close().unwrap();
    assert!(guests.changed(&lent).unwrap().gone);
}

#[test]
fn without_watches_a_mapping_tells_nothing() {
    let world = world(0);
    world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    assert_eq!(world.grants.changed(&mapping).unwrap_err(), ErrorKind::Enotsup);
    assert_eq!(world.grants.remap(&mapping).unwrap_err(), ErrorKind::Enotsup);
    assert_eq!(mapping.file_len().unwrap_err(), ErrorKind::Enotsup);
    assert_eq!(mapping.pread_strict(0, &mut [0; 8]).unwrap_err(), ErrorKind::Enotsup);
    assert_eq!(mapping.pread_up_to(4, &mut [0; 8]), Ok(4), "it needs no file");
}

#[test]
fn a_read_up_to_the_end_is_short_and_never_out_of_bounds() {
    let world = World::limited(limits(|limits| limits.call_bytes = 5));
    world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    let mut bytes = [0; 20];
    for (offset, length, there) in [
        (0, 3, 3),
        (0, 20, 5),
        (3, 5, 5),
        (4, 20, 4),
        (7, 1, 1),
        (8, 1, 0),
        (9, 9, 0),
        (u64::MAX, 20, 0),
        (0, 0, 0),
    ] {
        assert_eq!(mapping.pread_up_to(offset, &mut bytes[..length]), Ok(there), "{offset}");
        let from = (offset as usize).min(8);
        assert_eq!(bytes[..there], b"contents"[from..from + there]);
    }
    let write = world.map("f", &OpenOptions::new().write(true));
    assert_eq!(write.pread_up_to(99, &mut []).unwrap_err(), ErrorKind::Eacces);
    mapping.close().unwrap();
    assert_eq!(mapping.pread_up_to(99, &mut []).unwrap_err(), ErrorKind::Closed);
    let world = World::limited(limits(|limits| limits.call_bytes = 0));
    world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    assert_eq!(mapping.pread_up_to(0, &mut bytes).unwrap_err(), ErrorKind::LimitExceeded);
    assert_eq!(mapping.pread_up_to(8, &mut bytes), Ok(0));
}

#[test]
fn a_strict_read_fails_where_the_file_ends_in_the_middle_of_a_page() {
    let page = page() as usize;
    let world = world(1);
    world.file("f", &vec![7; 2 * page]);
    let mapping = world.map("f", &READ);
    let mut bytes = vec![0; 100];
    let end = page as u64 + 50;
    let strict = |offset: u64, bytes: &mut [u8]| mapping.pread_strict(offset, bytes);
    strict(end - 10, &mut bytes).unwrap();
    world.set_length("f", end);
    mapping.pread(end - 10, &mut bytes).unwrap();
    assert_eq!((bytes[9], bytes[10]), (7, 0), "zeros, and no error");
    let faults = world.usage.counters().faults_recovered;
    assert_eq!(strict(end - 10, &mut bytes).unwrap_err(), ErrorKind::Sigbus);
    assert_eq!(world.usage.counters().faults_recovered, faults + 1);
    assert_eq!(strict(end, &mut bytes[..1]).unwrap_err(), ErrorKind::Sigbus);
    strict(end - 100, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 100]);
    strict(end + 10, &mut []).unwrap();
    assert_eq!(strict(2 * page as u64, &mut bytes).unwrap_err(), ErrorKind::OutOfBounds);
    world.set_length("f", 2 * page as u64);
    strict(end - 10, &mut bytes).unwrap();
}

/// A writer cuts a file of one byte's bytes shorter and shorter: no strict read ever returns another.
#[test]
fn no_strict_read_of_a_shrinking_file_returns_what_was_cut_off() {
    let page = page();
    let world = world(1);
    world.file("f", &vec![7; 4 * page as usize]);
    let mapping = world.map("f", &READ);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut length = 4 * page;
            while length > 0 {
                length = length.saturating_sub(fastrand::u64(1..7));
                world.set_length("f", length);
            }
            over.store(true, SeqCst);
        });
        let (mut good, mut refused) = (0, 0);
        while !over.load(SeqCst) || refused == 0 {
            let (offset, mut bytes) = (fastrand::u64(0..3 * page), [0; 64]);
            match mapping.pread_strict(offset, &mut bytes) {
                Ok(()) => {
                    assert_eq!(bytes, [7; 64], "at {offset}");
                    good += 1;
                }
                Err(error) => {
                    assert_eq!(error, ErrorKind::Sigbus);
                    refused += 1;
                }
            }
        }
        assert!(good + refused > 0);
    });
}

#[test]
fn who_waits_is_told_of_every_kind_of_change() {
    let world = world(1);
    let path = world.file("f", b"contents");
    let new = world.path("new");
    let mapping = world.map("f", &READ.write(true));
    let wait = |known: &FileState, time| world.grants.wait_for_change(&mapping, known, time);
    let mut known = world.grants.changed(&mapping).unwrap();
    assert_eq!(wait(&known, Some(Duration::ZERO)), Ok(None));
    assert_eq!(wait(&known, Some(Duration::from_millis(60))), Ok(None));
    let changes: [&(dyn Fn() + Sync); 5] = [
        &|| world.set_length("f", 3),
        &|| world.set_length("f", 30),
        &|| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        },
        &|| {
            fs::write(&new, b"another").unwrap();
            fs::rename(&new, &path).unwrap();
        },
        &|| fs::remove_file(&path).unwrap(),
    ];
    for change in changes {
        thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&known, None).unwrap());
            while !waiter.is_finished() && world.usage.counters().watches == 0 {
                thread::yield_now();
            }
            change();
            let state = waiter.join().unwrap().expect("a change");
            assert_ne!(state, known);
        });
        known = world.grants.changed(&mapping).unwrap();
    }
    assert!(known.gone && known.longer && known.modified, "{known:?}");
    assert_eq!((world.usage.counters().watches, world.usage.counters().peak_watches), (0, 1));
}

#[test]
fn more_do_not_wait_at_once_than_may() {
    let world = world(1);
    world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    let known = world.grants.changed(&mapping).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| world.grants.wait_for_change(&mapping, &known, None));
        while world.usage.counters().watches == 0 {
            thread::yield_now();
        }
        let more = world.grants.wait_for_change(&mapping, &known, None);
        assert_eq!(more.unwrap_err(), ErrorKind::LimitExceeded);
        let look = world.grants.wait_for_change(&mapping, &known, Some(Duration::ZERO));
        assert_eq!(look, Ok(None), "to look is not to wait");
        world.set_length("f", 1);
        assert!(waiter.join().unwrap().unwrap().is_some_and(|state| state.shorter));
    });
}

#[test]
fn a_mapping_with_watches_keeps_one_descriptor_and_gives_it_back() {
    let world = world(3);
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ);
    let known = world.grants.changed(&mapping).unwrap();
    let waited = world.grants.wait_for_change(&mapping, &known, Some(Duration::from_millis(3)));
    assert_eq!(waited, Ok(None));
    assert_eq!(descriptors(&path).len(), 1);
    mapping.close().unwrap();
    assert_eq!(descriptors(&path).len(), 0);
    assert_eq!(Limits::default().watches, 0);
    let none = Usage::new(Limits::default());
    let _mapping = world.grants.open(&none, "/d/f", &READ).unwrap();
    assert_eq!(descriptors(&path).len(), 0, "nor is one kept where nothing is asked");
}
