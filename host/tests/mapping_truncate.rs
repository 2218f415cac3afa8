//! `truncate`: the file and the mapping change their length together, or not at all.

mod support;

use iommap::{Error, Limits, OpenOptions};
use std::fs;
use support::*;

#[test]
fn given_a_mapping_when_truncated_then_file_and_mapping_are_exactly_that_long() {
    let world = World::new();
    let mut expected = pattern(2 * page() + 7);
    let path = world.file("f", &expected);
    let mapping = world.map("f", &READ_WRITE);
    let (p, grown) = (page(), 40 * page() + 1);
    for size in [0, 1, p - 1, p, p + 1, grown, 2 * p, 2 * p, 5, 0, 0, 3 * p, u64::from(u8::MAX)] {
        mapping.truncate(size).unwrap();
        expected.resize(size as usize, 0);
        assert_eq!(mapping.position(), Ok(size));
        assert_eq!(world.length("f"), size);
        assert_same!(all(&mapping), expected, "{size}");
        assert_same!(world.contents("f"), expected, "{size}");
        assert_eq!(world.account.counters().mapped_bytes, size);
        assert_eq!(mapped_ranges(&path), usize::from(size > 0), "{size}");
        assert_eq!(mapping.pread(size, &mut [0]), Err(Error::OutOfBounds), "{size}");
        assert_eq!(mapping.pwrite(size, &[0]), Err(Error::OutOfBounds), "{size}");
        if size > 0 {
            // The new end is there to be written, and kept by the next change.
            mapping.pwrite(size - 1, b"#").unwrap();
            expected[size as usize - 1] = b'#';
        }
    }
    assert_eq!(descriptors(&path).len(), 1);
}

#[test]
fn given_growth_when_truncated_then_the_new_blocks_are_allocated_and_zero() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &WRITE);
    let size = 512 * page() + 3;
    mapping.truncate(size).unwrap();
    assert!(world.allocated("f") >= size, "{}", world.allocated("f"));
    let contents = world.contents("f");
    assert_eq!(&contents[..8], b"contents");
    assert!(contents[8..].iter().all(|byte| *byte == 0));
    mapping.truncate(8).unwrap();
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_an_empty_file_when_truncated_then_it_grows_and_may_be_emptied_again() {
    let world = World::new();
    let mapping = world.map("f", &CREATE);
    mapping.truncate(10).unwrap();
    mapping.pwrite(0, b"0123456789").unwrap();
    assert_eq!(world.contents("f"), b"0123456789");
    mapping.truncate(0).unwrap();
    assert_eq!(mapping.position(), Ok(0));
    assert_eq!(mapping.pread(0, &mut []), Ok(()));
    assert_eq!(mapping.pread(0, &mut [0]), Err(Error::OutOfBounds));
    mapping.truncate(4).unwrap();
    // What was cut off does not come back.
    assert_eq!(all(&mapping), [0; 4]);
}

#[test]
fn given_bytes_written_behind_the_end_in_the_last_page_when_grown_then_they_are_zero() {
    let world = World::new();
    world.file("f", &pattern(page()));
    let mapping = world.map("f", &READ_WRITE);
    mapping.truncate(10).unwrap();
    mapping.truncate(page()).unwrap();
    let mut expected = pattern(10);
    expected.resize(page() as usize, 0);
    assert_same!(all(&mapping), expected);
}

#[test]
fn given_others_changed_the_length_when_truncated_then_it_is_the_length_asked_for() {
    let world = World::new();
    let p = page();
    for theirs in [0, 1, p, 2 * p - 1, 2 * p, 2 * p + 1, 5 * p, 100 * p + 3] {
        for ours in [0, 1, p, 2 * p, 2 * p + 1, 4 * p] {
            let mut expected = pattern(2 * p);
            world.file("f", &expected);
            let mapping = world.map("f", &READ_WRITE);
            world.set_length("f", theirs);
            mapping.truncate(ours).unwrap();
            expected.resize(theirs as usize, 0);
            expected.resize(ours as usize, 0);
            assert_eq!(world.length("f"), ours, "{theirs} {ours}");
            assert_eq!(mapping.position(), Ok(ours), "{theirs} {ours}");
            assert_same!(all(&mapping), expected, "{theirs} {ours}");
            assert_eq!(world.account.counters().mapped_bytes, ours);
        }
    }
}

#[test]
fn given_a_mapping_that_may_not_change_the_file_when_truncated_then_eacces() {
    let world = World::limited(Limits { file_bytes: 1, ..Limits::default() });
    world.file("f", b"contents");
    for options in [READ, PRIVATE, OpenOptions { private: true, ..WRITE }] {
        let mapping = world.map("f", &options);
        // Also where the length would not change, and before any limit is looked at.
        for size in [0, 8, 9, u64::MAX] {
            assert_eq!(mapping.truncate(size), Err(Error::Acces), "{options:?} {size}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn given_a_second_mapping_when_the_first_truncates_then_it_keeps_its_own_size() {
    let world = World::new();
    world.file("f", &pattern(2 * page()));
    let (one, two) = (world.map("f", &READ_WRITE), world.map("f", &READ_WRITE));
    one.truncate(4 * page()).unwrap();
    assert_eq!(two.position(), Ok(2 * page()));
    one.pwrite(0, b"one").unwrap();
    assert_eq!(bytes(&two, 0, 3), b"one");
    assert_eq!(two.pread(2 * page(), &mut [0]), Err(Error::OutOfBounds));
    two.truncate(2 * page()).unwrap();
    assert_eq!(world.length("f"), 2 * page());
}

/// A mapping of pattern bytes, and that a truncate which failed has changed nothing about it.
#[track_caller]
fn assert_still_serves(world: &World, mapping: &iommap::Mapping, contents: &[u8]) {
    let size = contents.len() as u64;
    assert_eq!(mapping.position(), Ok(size));
    assert_eq!(world.length("f"), size);
    assert_same!(all(mapping), contents);
    mapping.pwrite(0, &contents[..1]).unwrap();
    assert_same!(world.contents("f"), contents);
    let used = world.account.counters();
    assert_eq!((used.mappings, used.mapped_bytes), (1, size));
    assert_eq!(mapped_ranges(&world.path("f")), 1);
    assert_eq!(descriptors(&world.path("f")).len(), 1);
}

#[test]
fn given_a_limit_when_truncate_would_pass_it_then_limit_exceeded_and_the_old_mapping_serves() {
    let p = page();
    for limits in [
        Limits { file_bytes: 4 * p, ..Limits::default() },
        Limits { mapped_bytes: 4 * p, ..Limits::default() },
    ] {
        let world = World::limited(limits.clone());
        let contents = pattern(2 * p);
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        for size in [4 * p + 1, 1 << 40, 1 << 63, u64::MAX] {
            assert_eq!(mapping.truncate(size), Err(Error::LimitExceeded), "{size} {limits:?}");
            assert_still_serves(&world, &mapping, &contents);
        }
        mapping.truncate(4 * p).unwrap();
        assert_eq!(world.account.counters().mapped_bytes, 4 * p);
    }
}

#[test]
fn given_no_limits_when_truncated_to_what_no_address_space_holds_then_enomem() {
    let limits = Limits { file_bytes: u64::MAX, mapped_bytes: u64::MAX, ..Limits::default() };
    let world = World::limited(limits);
    let contents = pattern(page() + 1);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    for size in [1 << 60, i64::MAX as u64 - page(), i64::MAX as u64, 1 << 63, u64::MAX] {
        assert_eq!(mapping.truncate(size), Err(Error::NoMem), "{size}");
        assert_still_serves(&world, &mapping, &contents);
    }
}

#[test]
fn given_no_address_space_when_truncated_then_enomem_and_the_old_mapping_serves() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(page() + 1);
        world.file("f", &contents);
        let mapping = world.map("f", &READ_WRITE);
        let little = status("VmSize") + (64 << 20);
        let result = with_rlimit(libc::RLIMIT_AS, little, || mapping.truncate(1 << 30));
        assert_eq!(result, Err(Error::NoMem));
        assert_still_serves(&world, &mapping, &contents);
    });
}

#[test]
fn given_a_length_the_file_system_refuses_when_truncated_then_efbig_and_the_old_mapping_serves() {
    in_child(|| {
        // The kernel would send SIGXFSZ, which ends the process, before it says EFBIG.
        let world = World::new();
        let contents = pattern(page() + 1);
        world.file("f", &contents);
        let before = world.allocated("f");
        let mapping = world.map("f", &READ_WRITE);
        let result = with_rlimit(libc::RLIMIT_FSIZE, 4 * page(), || mapping.truncate(64 * page()));
        assert_eq!(result, Err(Error::FBig));
        assert_still_serves(&world, &mapping, &contents);
        // Blocks that were taken for the growth are given back.
        assert_eq!(world.allocated("f"), before);
    });
}

#[test]
fn given_no_descriptors_left_when_truncated_then_it_needs_none() {
    in_child(|| {
        let world = World::new();
        world.file("f", b"contents");
        let mapping = world.map("f", &READ_WRITE);
        with_rlimit(libc::RLIMIT_NOFILE, 0, || {
            mapping.truncate(2 * page()).unwrap();
            mapping.truncate(3).unwrap();
        });
        assert_eq!(world.contents("f"), b"con");
    });
}

#[test]
fn given_a_truncated_mapping_when_closed_then_everything_is_returned() {
    let world = World::new();
    let path = world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    mapping.truncate(10 * page()).unwrap();
    mapping.truncate(page()).unwrap();
    mapping.close().unwrap();
    assert_eq!(mapping.truncate(3), Err(Error::Closed));
    assert_eq!(mapped_ranges(&path), 0);
    assert!(descriptors(&path).is_empty());
    world.assert_idle();
    assert_eq!(fs::metadata(path).unwrap().len(), page());
}
