//! `truncate`: the file and the mapping change their length together, or not at all.
#![cfg(target_os = "linux")]

use crate::support::*;
use std::fs;

#[test]
fn a_new_length_is_that_of_file_and_mapping() {
    let world = World::new();
    let mut expected = pattern(2 * page() + 7);
    let path = world.file("f", &expected);
    let mapping = world.map("f", &READ_WRITE);
    let (p, grown) = (page(), 40 * page() + 1);
    for size in [0, 1, p - 1, p, p + 1, grown, 2 * p, 2 * p, 5, 0, 0, 3 * p, u64::from(u8::MAX)] {
        mapping.set_len(size).unwrap();
        expected.resize(size as usize, 0);
        assert_eq!(mapping.len(), Ok(size));
        assert_eq!(world.length("f"), size);
        assert_same!(all(&mapping), expected, "{size}");
        assert_same!(world.contents("f"), expected, "{size}");
        assert_eq!(world.usage.counters().mapped_bytes, size);
        assert_eq!(mapped_ranges(&path), usize::from(size > 0), "{size}");
        assert_eq!(mapping.pread(size, &mut [0]), Err(OutOfBounds.into()), "{size}");
        assert_eq!(mapping.pwrite(size, &[0]), Err(OutOfBounds.into()), "{size}");
        if size > 0 {
            // The new end is there to be written, and kept by the next change.
            mapping.pwrite(size - 1, b"#").unwrap();
            expected[size as usize - 1] = b'#';
        }
    }
    assert_eq!(descriptors(&path).len(), 1);
}

#[test]
fn growth_allocates_blocks_that_are_zero() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &WRITE);
    let size = 512 * page() + 3;
    mapping.set_len(size).unwrap();
    assert!(world.allocated("f") >= size, "{}", world.allocated("f"));
    let contents = world.contents("f");
    assert_eq!(&contents[..8], b"contents");
    assert!(contents[8..].iter().all(|byte| *byte == 0));
    mapping.set_len(8).unwrap();
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn an_empty_file_may_grow_and_be_emptied_again() {
    let world = World::new();
    let mapping = world.map("f", &CREATE);
    mapping.set_len(10).unwrap();
    mapping.pwrite(0, b"0123456789").unwrap();
    assert_eq!(world.contents("f"), b"0123456789");
    mapping.set_len(0).unwrap();
    assert_eq!(mapping.len(), Ok(0));
    assert_eq!(mapping.pread(0, &mut []), Ok(()));
    assert_eq!(mapping.pread(0, &mut [0]), Err(OutOfBounds.into()));
    mapping.set_len(4).unwrap();
    // What was cut off does not come back.
    assert_eq!(all(&mapping), [0; 4]);
}

#[test]
fn bytes_cut_off_in_the_last_page_do_not_come_back() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = world.map("f", &READ_WRITE);
    mapping.set_len(10).unwrap();
    mapping.set_len(page()).unwrap();
    let mut expected = pattern(10);
    expected.resize(page() as usize, 0);
    assert_same!(all(&mapping), expected);
}

#[test]
fn a_new_length_holds_whatever_others_made_of_the_file() {
    let world = World::new();
    let p = page();
    for theirs in [0, 1, p, 2 * p - 1, 2 * p, 2 * p + 1, 5 * p, 100 * p + 3] {
        for ours in [0, 1, p, 2 * p, 2 * p + 1, 4 * p] {
            let mut expected = pattern(2 * p);
            world.file("f", &expected);
            let mapping = world.map("f", &READ_WRITE);
            world.set_length("f", theirs);
            mapping.set_len(ours).unwrap();
            expected.resize(theirs as usize, 0);
            expected.resize(ours as usize, 0);
            assert_eq!(world.length("f"), ours, "{theirs} {ours}");
            assert_eq!(mapping.len(), Ok(ours), "{theirs} {ours}");
            assert_same!(all(&mapping), expected, "{theirs} {ours}");
            assert_eq!(world.usage.counters().mapped_bytes, ours);
        }
    }
}

#[test]
fn a_mapping_for_reading_cannot_change_the_length() {
    let world = World::limited(limits(|l| l.file_bytes = 1));
    world.file("f", b"contents");
    for options in [READ, PRIVATE, WRITE.private(true)] {
        let mapping = world.map("f", &options);
        // Also where the length would not change, and before any limit is looked at.
        for size in [0, 8, 9, u64::MAX] {
            assert_eq!(mapping.set_len(size), Err(Eacces.into()), "{options:?} {size}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn a_second_mapping_keeps_its_own_length() {
    let world = World::new();
    world.file("f", &pattern(2 * page()));
    let (one, two) = (world.map("f", &READ_WRITE), world.map("f", &READ_WRITE));
    one.set_len(4 * page()).unwrap();
    assert_eq!(two.len(), Ok(2 * page()));
    one.pwrite(0, b"one").unwrap();
    assert_eq!(bytes(&two, 0, 3), b"one");
    assert_eq!(two.pread(2 * page(), &mut [0]), Err(OutOfBounds.into()));
    two.set_len(2 * page()).unwrap();
    assert_eq!(world.length("f"), 2 * page());
}

/// A mapping of pattern bytes, and that a truncate which failed has changed nothing about it.
#[track_caller]
fn assert_still_serves(world: &World, mapping: &iommap::Mapping, contents: &[u8]) {
    let size = contents.len() as u64;
    assert_eq!(mapping.len(), Ok(size));
    assert_eq!(world.length("f"), size);
    assert_same!(all(mapping), contents);
    mapping.pwrite(0, &contents[..1]).unwrap();
    assert_same!(world.contents("f"), contents);
    let used = world.usage.counters();
    assert_eq!((used.mappings, used.mapped_bytes), (1, size));
    assert_eq!(mapped_ranges(&world.path("f")), 1);
    assert_eq!(descriptors(&world.path("f")).len(), 1);
}

#[test]
fn a_length_over_a_limit_leaves_the_old_mapping() {
    let p = page();
    for limits in [limits(|l| l.file_bytes = 4 * p), limits(|l| l.mapped_bytes = 4 * p)] {
        let world = World::limited(limits.clone());
        let contents = pattern(2 * p);
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        for size in [4 * p + 1, 1 << 40, 1 << 63, u64::MAX] {
            assert_eq!(mapping.set_len(size), Err(LimitExceeded.into()), "{size} {limits:?}");
            assert_still_serves(&world, &mapping, &contents);
        }
        mapping.set_len(4 * p).unwrap();
        assert_eq!(world.usage.counters().mapped_bytes, 4 * p);
    }
}

#[test]
fn a_length_that_no_address_space_holds_is_enomem() {
    let limits = limits(|l| {
        l.file_bytes = u64::MAX;
        l.mapped_bytes = u64::MAX;
    });
    let world = World::without_budget(limits);
    let contents = pattern(page() + 1);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    for size in [1 << 60, i64::MAX as u64 - page(), i64::MAX as u64, 1 << 63, u64::MAX] {
        assert_eq!(mapping.set_len(size), Err(Enomem.into()), "{size}");
        assert_still_serves(&world, &mapping, &contents);
    }
}

#[test]
fn no_address_space_left_keeps_the_old_mapping() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(page() + 1);
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        let little = status("VmSize") + (64 << 20);
        let result = with_rlimit(libc::RLIMIT_AS, little, || mapping.set_len(1 << 30));
        assert_eq!(result, Err(Enomem.into()));
        assert_still_serves(&world, &mapping, &contents);
    });
}

#[test]
fn a_length_past_the_limit_of_the_process_keeps_the_old() {
    in_child(|| {
        // The kernel would send SIGXFSZ, which ends the process, before it says EFBIG.
        let world = World::new();
        let contents = pattern(page() + 1);
        world.file("f", &contents);
        let before = world.allocated("f");
        let mapping = world.map("f", &READ_WRITE);
        let result = with_rlimit(libc::RLIMIT_FSIZE, 4 * page(), || mapping.set_len(64 * page()));
        assert_eq!(result, Err(Efbig.into()));
        assert_still_serves(&world, &mapping, &contents);
        // Blocks that were taken for the growth are given back.
        assert_eq!(world.allocated("f"), before);
    });
}

#[test]
fn a_new_length_needs_no_descriptor() {
    in_child(|| {
        let world = World::new();
        world.file("f", b"contents");
        let mapping = world.map("f", &READ_WRITE);
        with_rlimit(libc::RLIMIT_NOFILE, 0, || {
            mapping.set_len(2 * page()).unwrap();
            mapping.set_len(3).unwrap();
        });
        assert_eq!(world.contents("f"), b"con");
    });
}

#[test]
fn a_close_after_new_lengths_returns_everything() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    mapping.set_len(10 * page()).unwrap();
    mapping.set_len(page()).unwrap();
    mapping.close().unwrap();
    assert_eq!(mapping.set_len(3), Err(Closed.into()));
    assert_eq!(mapped_ranges(&path), 0);
    assert!(descriptors(&path).is_empty());
    world.assert_idle();
    assert_eq!(fs::metadata(path).unwrap().len(), page());
}
