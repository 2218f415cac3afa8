//! sync, sync-range, advise and position.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{AccessMode, Advice, OpenOptions, SyncMode};

const MODES: [SyncMode; 2] = [SyncMode::Sync, SyncMode::Async];
const HINTS: [Advice; 5] =
    [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::DontNeed];

/// Every kind of mapping of the file `f`.
fn kinds() -> Vec<OpenOptions> {
    [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite]
        .into_iter()
        .flat_map(|access| {
            let shared = OpenOptions::new().access(access);
            [shared.private(true), shared]
        })
        .collect()
}

/// Ranges that do not lie inside a file of this size.
fn outside(size: u64) -> [(u64, u64); 10] {
    [
        (0, size + 1),
        (size, 1),
        (size + 1, 0),
        (size - 1, 2),
        (size.next_multiple_of(page()), 0),
        (size.next_multiple_of(page()), page()),
        (0, u64::MAX),
        (u64::MAX, 0),
        (u64::MAX, 1),
        (1, u64::MAX),
    ]
}

#[test]
fn every_mapping_may_be_synced_in_both_modes() {
    let world = World::new();
    let contents = pattern(3 * page() + 5);
    world.file("f", &contents);
    for options in kinds() {
        let mapping = world.map("f", &options);
        if writes(&options) {
            mapping.pwrite(0, &contents[..1]).unwrap();
        }
        for mode in MODES {
            assert_eq!(mapping.sync(mode), Ok(()), "{options:?} {mode:?}");
        }
    }
    assert_same!(world.contents("f"), contents);
}

#[test]
fn every_range_inside_may_be_synced() {
    let world = World::new();
    let size = 3 * page() + 5;
    world.file("f", &pattern(size));
    for options in kinds() {
        let mapping = world.map("f", &options);
        for (offset, length) in [
            (0, 0),
            (0, 1),
            (1, 1),
            (page() - 1, 2),
            (page(), page()),
            (page() + 1, 2 * page() + 4),
            (size - 1, 1),
            (size, 0),
            (0, size),
        ] {
            for mode in MODES {
                let synced = mapping.sync_range(offset, length, mode);
                assert_eq!(synced, Ok(()), "{options:?} {offset} {length} {mode:?}");
            }
        }
    }
}

#[test]
fn ranges_outside_are_out_of_bounds_for_sync_and_advise() {
    let world = World::new();
    for size in [5, page(), 3 * page() + 5] {
        world.file("f", &pattern(size));
        for options in kinds() {
            let mapping = world.map("f", &options);
            for (offset, length) in outside(size) {
                if (offset, length) == (size, 0) {
                    continue;
                }
                for mode in MODES {
                    let synced = mapping.sync_range(offset, length, mode);
                    assert_eq!(synced, Err(OutOfBounds.into()), "{size} {offset} {length}");
                }
                for hint in HINTS {
                    let advised = mapping.advise(offset, length, hint);
                    assert_eq!(advised, Err(OutOfBounds.into()), "{size} {offset} {length}");
                }
            }
        }
        assert_same!(world.contents("f"), pattern(size));
    }
}

#[test]
fn an_empty_mapping_may_be_synced_and_advised() {
    let world = World::new();
    world.file("f", b"");
    for options in kinds() {
        let mapping = world.map("f", &options);
        for mode in MODES {
            assert_eq!(mapping.sync(mode), Ok(()), "{options:?}");
            assert_eq!(mapping.sync_range(0, 0, mode), Ok(()), "{options:?}");
            assert_eq!(mapping.sync_range(0, 1, mode), Err(OutOfBounds.into()), "{options:?}");
        }
        for hint in HINTS {
            assert_eq!(mapping.advise(0, 0, hint), Ok(()), "{options:?}");
            assert_eq!(mapping.advise(0, 1, hint), Err(OutOfBounds.into()), "{options:?}");
            assert_eq!(mapping.advise(1, 0, hint), Err(OutOfBounds.into()), "{options:?}");
        }
    }
}

#[test]
fn a_mapping_cut_to_nothing_may_be_synced() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    mapping.set_len(0).unwrap();
    for mode in MODES {
        assert_eq!(mapping.sync(mode), Ok(()));
    }
    assert_eq!(world.length("f"), 0);
}

#[test]
fn no_hint_for_any_range_changes_a_byte() {
    let world = World::new();
    let size = 3 * page() + 5;
    let contents = pattern(size);
    world.file("f", &contents);
    for options in kinds() {
        let mapping = world.map("f", &options);
        for hint in HINTS {
            for (offset, length) in [
                (0, 0),
                (0, 1),
                (1, 1),
                (page() - 1, 2),
                (page() + 1, 0),
                (page(), 2 * page() + 5),
                (size - 1, 1),
                (size, 0),
                (0, size),
            ] {
                let advised = mapping.advise(offset, length, hint);
                assert_eq!(advised, Ok(()), "{options:?} {hint:?} {offset} {length}");
            }
            if reads(&options) {
                assert_same!(all(&mapping), contents, "{options:?} {hint:?}");
            }
        }
    }
    assert_same!(world.contents("f"), contents);
}

#[test]
fn dontneed_loses_no_written_byte() {
    let world = World::new();
    for options in [READ_WRITE, PRIVATE] {
        world.file("f", &pattern(3 * page()));
        let mapping = world.map("f", &options);
        let written = vec![0x55; 3 * page() as usize];
        mapping.pwrite(0, &written).unwrap();
        for (offset, length) in [(0, 0), (page(), page()), (1, 1)] {
            mapping.advise(offset, length, Advice::DontNeed).unwrap();
            assert_same!(all(&mapping), written, "{options:?}");
        }
    }
}

#[test]
fn dontneed_takes_shared_pages_out_of_memory() {
    let world = World::new();
    let path = world.file("f", &pattern(16 * page()));
    let mapping = world.map("f", &READ_WRITE.populate(true));
    assert_eq!(smaps(&path, "Rss"), 16 * page());
    mapping.advise(page() + 1, 2, Advice::DontNeed).unwrap();
    assert_eq!(smaps(&path, "Rss"), 15 * page());
    // Length 0 is to the end, from the page that the offset lies on.
    mapping.advise(4 * page() + 7, 0, Advice::DontNeed).unwrap();
    assert_eq!(smaps(&path, "Rss"), 3 * page());
    mapping.advise(0, 0, Advice::DontNeed).unwrap();
    assert_eq!(smaps(&path, "Rss"), 0);
}

#[test]
fn very_many_hints_cut_no_address_space_to_pieces() {
    let mut world = World::new();
    for share in [false, true] {
        world.grants.common_regions(share);
        let path = world.sparse("f", 4096 * page());
        let mapping = world.map("f", &READ);
        for _ in 0..2 {
            for part in (0..4096).step_by(2) {
                let hint = [Advice::Random, Advice::Sequential][part as usize / 2 % 2];
                mapping.advise(part * page(), page(), hint).unwrap();
            }
            // Some are applied, and all of it is one again when a hint is for all.
            let ranges = mapped_ranges(&path);
            assert!((2..=33).contains(&ranges), "{ranges}");
            mapping.advise(0, 0, Advice::Normal).unwrap();
            assert_eq!(mapped_ranges(&path), 1);
        }
    }
}

#[test]
fn willneed_reads_a_small_range_in() {
    let world = World::new();
    let path = world.file("f", &pattern(16 * page()));
    for options in [READ, READ_WRITE, PRIVATE] {
        let mapping = world.map("f", &options);
        mapping.advise(0, 0, Advice::WillNeed).unwrap();
        assert_eq!(smaps(&path, "Rss"), 16 * page(), "{options:?}");
        drop(mapping);
    }
}

#[test]
fn the_length_of_a_mapping_is_its_own_and_no_cursor() {
    let world = World::new();
    world.file("f", &pattern(1000));
    for options in kinds() {
        let mapping = world.map("f", &options);
        if reads(&options) {
            bytes(&mapping, 10, 10);
        }
        if writes(&options) {
            mapping.pwrite(5, &[1]).unwrap();
        }
        assert_eq!(mapping.len(), Ok(1000), "{options:?}");
    }
    // What others do to the file does not change the size of the mapping.
    let mapping = world.map("f", &READ_WRITE);
    world.set_length("f", 5000);
    assert_eq!(mapping.len(), Ok(1000));
    world.set_length("f", 10);
    assert_eq!(mapping.len(), Ok(1000));
    mapping.set_len(42).unwrap();
    assert_eq!(mapping.len(), Ok(42));
}

#[test]
fn a_mapping_of_a_cut_file_may_be_synced_advised_and_closed() {
    let world = World::new();
    for options in kinds() {
        world.file("f", &pattern(4 * page()));
        let mapping = world.map("f", &options.populate(true));
        world.set_length("f", 10);
        for mode in MODES {
            assert_eq!(mapping.sync(mode), Ok(()), "{options:?} {mode:?}");
            assert_eq!(mapping.sync_range(2 * page(), 1, mode), Ok(()), "{options:?} {mode:?}");
        }
        for hint in HINTS {
            assert_eq!(mapping.advise(0, 0, hint), Ok(()), "{options:?} {hint:?}");
        }
        assert_eq!(mapping.close(), Ok(()), "{options:?}");
        assert_eq!(world.length("f"), 10);
    }
}
