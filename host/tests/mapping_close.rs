//! Closing: everything goes at once, and everything after it is `closed`.

mod support;

use iommap::{Account, Advice, Error, Limits, Mapping, OpenOptions, SyncMode};
use support::*;

#[test]
fn given_a_closed_mapping_when_used_in_any_way_then_closed_before_any_other_reason() {
    let world = World::limited(Limits { file_bytes: 1, call_bytes: 1, ..Limits::default() });
    world.file("f", b"contents");
    for options in [READ, WRITE, READ_WRITE, PRIVATE] {
        let mapping = world.map("f", &options);
        assert_eq!(mapping.close(), Ok(()));
        for offset in [0, 9, u64::MAX] {
            assert_eq!(mapping.pread(offset, &mut [0]), Err(Error::Closed), "{options:?}");
            assert_eq!(mapping.pread(offset, &mut []), Err(Error::Closed), "{options:?}");
            assert_eq!(mapping.pread(offset, &mut [0; 9]), Err(Error::Closed), "{options:?}");
            assert_eq!(mapping.pwrite(offset, &[0]), Err(Error::Closed), "{options:?}");
            assert_eq!(mapping.pwrite(offset, &[]), Err(Error::Closed), "{options:?}");
            for mode in [SyncMode::Sync, SyncMode::Async] {
                assert_eq!(mapping.sync_range(offset, 1, mode), Err(Error::Closed), "{options:?}");
                assert_eq!(mapping.sync(mode), Err(Error::Closed), "{options:?}");
            }
            let hint = Advice::WillNeed;
            assert_eq!(mapping.advise(offset, offset, hint), Err(Error::Closed), "{options:?}");
            assert_eq!(mapping.truncate(offset), Err(Error::Closed), "{options:?}");
        }
        assert_eq!(mapping.position(), Err(Error::Closed), "{options:?}");
        assert_eq!(mapping.close(), Err(Error::Closed), "{options:?}");
        assert_eq!(mapping.close(), Err(Error::Closed), "{options:?}");
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_open_mappings_when_closed_then_descriptors_and_address_space_go_at_once() {
    let world = World::new();
    let path = world.file("f", &pattern(3 * page()));
    for options in [READ, WRITE, READ_WRITE, PRIVATE, OpenOptions { private: true, ..CREATE }] {
        let mapping = world.map("f", &options);
        assert_eq!(mapped_ranges(&path), 1, "{options:?}");
        mapping.close().unwrap();
        assert_eq!(mapped_ranges(&path), 0, "{options:?}");
        assert!(descriptors(&path).is_empty(), "{options:?}");
        world.assert_idle();
    }
}

#[test]
fn given_open_mappings_when_dropped_then_everything_is_returned() {
    let world = World::new();
    let path = world.file("f", &pattern(3 * page()));
    let mappings: Vec<_> = (0..10).map(|_| world.map("f", &READ_WRITE)).collect();
    // Adjacent ranges of one file may be shown as one.
    assert!(mapped_ranges(&path) > 0);
    assert_eq!(descriptors(&path).len(), 10);
    let used = world.account.counters();
    assert_eq!((used.mappings, used.mapped_bytes, used.opened), (10, 30 * page(), 10));
    drop(mappings);
    assert_eq!(mapped_ranges(&path), 0);
    assert!(descriptors(&path).is_empty());
    world.assert_idle();
    assert_eq!(world.account.counters().opened, 10);
}

#[test]
fn given_a_closed_mapping_when_dropped_then_nothing_is_returned_twice() {
    let world = World::new();
    world.file("f", b"contents");
    let other = world.map("f", &READ);
    let mapping = world.map("f", &READ);
    mapping.close().unwrap();
    mapping.close().unwrap_err();
    drop(mapping);
    let used = world.account.counters();
    assert_eq!((used.mappings, used.mapped_bytes), (1, 8));
    assert_eq!(all(&other), b"contents");
}

#[test]
fn given_written_bytes_when_closed_without_sync_then_the_file_has_them() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &WRITE);
    mapping.pwrite(0, b"C").unwrap();
    mapping.close().unwrap();
    assert_eq!(world.contents("f"), b"Contents");
}

#[test]
fn given_a_mapping_when_its_grants_are_gone_then_it_goes_on_and_concerns_no_other_store() {
    let world = World::new();
    world.file("f", b"contents");
    let account = Account::new(Limits::default());
    let mapping = {
        let grants = world.grants.clone();
        Mapping::open(&grants, &account, "/d/f", &READ_WRITE).unwrap()
    };
    mapping.pwrite(0, b"C").unwrap();
    mapping.truncate(3).unwrap();
    assert_eq!(all(&mapping), b"Con");
    assert_eq!(account.counters().mappings, 1);
    assert_eq!(world.account.counters(), Default::default());
}

#[test]
fn given_two_thousand_mappings_one_after_another_when_all_are_gone_then_nothing_is_left() {
    let world = World::new();
    let path = world.file("f", &pattern(page() + 1));
    for round in 0..2_000 {
        let options = match round % 4 {
            0 => READ,
            1 => READ_WRITE,
            2 => PRIVATE,
            _ => OpenOptions { size: Some(page() + 1), ..CREATE },
        };
        let mapping = world.map("f", &options);
        assert_same!(bytes(&mapping, page(), 1), pattern(page() + 1)[page() as usize..]);
        if round % 2 == 0 {
            mapping.close().unwrap();
        }
    }
    assert!(descriptors(&path).is_empty());
    assert_eq!(mapped_ranges(&path), 0);
    world.assert_idle();
    let counted = world.account.counters();
    assert_eq!((counted.opened, counted.bytes_read), (2_000, 2_000));
}

#[test]
fn given_two_thousand_refused_opens_when_all_are_over_then_nothing_is_left() {
    let world = World::new();
    let path = world.file("f", b"contents");
    for round in 0..2_000 {
        let (name, options) = match round % 5 {
            0 => ("f", OpenOptions { size: Some(100), ..READ }),
            1 => ("missing", READ_WRITE),
            2 => ("../f", CREATE),
            3 => ("new", OpenOptions { lock: true, ..CREATE }),
            _ => ("f", OpenOptions { size: Some(1 << 60), ..READ_WRITE }),
        };
        world.refused(name, &options);
    }
    assert!(descriptors(&path).is_empty());
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
    assert_eq!(world.account.counters().opened, 0);
}
