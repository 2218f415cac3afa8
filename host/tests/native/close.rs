//! Closing: everything goes at once, and everything after it is `closed`.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Advice, Limits, SyncMode, Usage};

#[test]
fn every_call_on_a_closed_mapping_is_closed_first_of_all() {
    let world = World::limited(limits(|l| {
        l.file_bytes = 1;
        l.call_bytes = 1;
    }));
    world.file("f", b"contents");
    for options in [READ, WRITE, READ_WRITE, PRIVATE] {
        let mapping = world.map("f", &options);
        assert_eq!(mapping.close(), Ok(()));
        for offset in [0, 9, u64::MAX] {
            assert_eq!(mapping.pread(offset, &mut [0]), Err(Closed.into()), "{options:?}");
            assert_eq!(mapping.pread(offset, &mut []), Err(Closed.into()), "{options:?}");
            assert_eq!(mapping.pread(offset, &mut [0; 9]), Err(Closed.into()), "{options:?}");
            assert_eq!(mapping.pwrite(offset, &[0]), Err(Closed.into()), "{options:?}");
            assert_eq!(mapping.pwrite(offset, &[]), Err(Closed.into()), "{options:?}");
            for mode in [SyncMode::Sync, SyncMode::Async] {
                assert_eq!(mapping.sync_range(offset, 1, mode), Err(Closed.into()), "{options:?}");
                assert_eq!(mapping.sync(mode), Err(Closed.into()), "{options:?}");
            }
            let hint = Advice::WillNeed;
            assert_eq!(mapping.advise(offset, offset, hint), Err(Closed.into()), "{options:?}");
            assert_eq!(mapping.set_len(offset), Err(Closed.into()), "{options:?}");
        }
        assert_eq!(mapping.len(), Err(Closed.into()), "{options:?}");
        assert_eq!(mapping.close(), Err(Closed.into()), "{options:?}");
        assert_eq!(mapping.close(), Err(Closed.into()), "{options:?}");
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn a_close_returns_descriptors_and_address_space_at_once() {
    let world = World::new();
    let path = world.file("f", &pattern(3 * page()));
    // What is written privately takes one more, which notices its loss.
    for (options, ranges) in
        [(READ, 1), (WRITE, 1), (READ_WRITE, 1), (PRIVATE, 2), (CREATE.private(true), 2)]
    {
        let mapping = world.map("f", &options);
        assert_eq!(mapped_ranges(&path), ranges, "{options:?}");
        mapping.close().unwrap();
        assert_eq!(mapped_ranges(&path), 0, "{options:?}");
        assert!(descriptors(&path).is_empty(), "{options:?}");
        world.assert_idle();
    }
}

#[test]
fn a_drop_returns_everything() {
    let world = World::new();
    let path = world.file("f", &pattern(3 * page()));
    let mappings: Vec<_> = (0..10).map(|_| world.map("f", &READ_WRITE)).collect();
    // Adjacent ranges of one file may be shown as one.
    assert!(mapped_ranges(&path) > 0);
    assert_eq!(descriptors(&path).len(), 10);
    let used = world.usage.counters();
    assert_eq!((used.mappings, used.mapped_bytes, used.opened), (10, 30 * page(), 10));
    drop(mappings);
    assert_eq!(mapped_ranges(&path), 0);
    assert!(descriptors(&path).is_empty());
    world.assert_idle();
    assert_eq!(world.usage.counters().opened, 10);
}

#[test]
fn a_drop_after_a_close_returns_nothing_twice() {
    let world = World::new();
    world.file("f", b"contents");
    let other = world.map("f", &READ);
    let mapping = world.map("f", &READ);
    mapping.close().unwrap();
    mapping.close().unwrap_err();
    drop(mapping);
    let used = world.usage.counters();
    assert_eq!((used.mappings, used.mapped_bytes), (1, 8));
    assert_eq!(all(&other), b"contents");
}

#[test]
fn bytes_written_before_a_close_are_in_the_file() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &WRITE);
    mapping.pwrite(0, b"C").unwrap();
    mapping.close().unwrap();
    assert_eq!(world.contents("f"), b"Contents");
}

#[test]
fn a_mapping_outlives_its_grants_and_concerns_no_other_store() {
    let world = World::new();
    world.file("f", b"contents");
    let usage = Usage::new(Limits::default());
    let mapping = {
        let grants = world.grants.clone();
        grants.open(&usage, "/d/f", &READ_WRITE).unwrap()
    };
    mapping.pwrite(0, b"C").unwrap();
    mapping.set_len(3).unwrap();
    assert_eq!(all(&mapping), b"Con");
    assert_eq!(usage.counters().mappings, 1);
    assert_eq!(world.usage.counters(), Default::default());
}

#[test]
fn two_thousand_mappings_in_turn_leave_nothing() {
    let world = World::new();
    let path = world.file("f", &pattern(page() + 1));
    for round in 0..2_000 {
        let options = match round % 4 {
            0 => READ,
            1 => READ_WRITE,
            2 => PRIVATE,
            _ => CREATE.size(page() + 1),
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
    let counted = world.usage.counters();
    assert_eq!((counted.opened, counted.bytes_read), (2_000, 2_000));
}

#[test]
fn two_thousand_refused_opens_leave_nothing() {
    let world = World::new();
    let path = world.file("f", b"contents");
    for round in 0..2_000 {
        let (name, options) = match round % 5 {
            0 => ("f", READ.size(100)),
            1 => ("missing", READ_WRITE),
            2 => ("../f", CREATE),
            3 => ("new", CREATE.lock(true)),
            _ => ("f", READ_WRITE.size(1 << 60)),
        };
        world.refused(name, &options);
    }
    assert!(descriptors(&path).is_empty());
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
    assert_eq!(world.usage.counters().opened, 0);
}
