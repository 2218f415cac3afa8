//! Many ranges in one call: all checked first, then moved in order.

use crate::support::*;
use iommap::Range;

fn range(offset: u64, length: u64) -> Range {
    Range { offset, length }
}

#[test]
fn many_ranges_are_read_back_to_back_in_order() {
    let world = World::new();
    let contents = pattern(4 * page());
    world.file("f", &contents);
    let mapping = world.map("f", &READ);
    // Overlapping, backwards, across pages, of nothing, and up to the very end.
    let ranges = [
        range(3 * page(), page()),
        range(10, 5),
        range(12, 5),
        range(page() - 3, 6),
        range(4 * page(), 0),
        range(0, 1),
    ];
    let mut target = vec![0; ranges.iter().map(|range| range.length as usize).sum()];
    mapping.pread_many(&ranges, &mut target).unwrap();
    let expected: Vec<u8> = ranges
        .iter()
        .flat_map(|range| contents[range.offset as usize..][..range.length as usize].to_vec())
        .collect();
    assert_eq!(target, expected);
    assert_eq!(world.usage.counters().bytes_read, target.len() as u64);
}

#[test]
fn ten_thousand_ranges_are_each_in_their_place() {
    let world = World::new();
    let contents = pattern(40_000);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    let ranges: Vec<Range> = (0..10_000).map(|at| range(39_996 - 4 * at, 4)).collect();
    let mut backwards = vec![0; 40_000];
    mapping.pread_many(&ranges, &mut backwards).unwrap();
    let expected: Vec<u8> = contents.rchunks(4).flatten().copied().collect();
    assert_eq!(backwards, expected);
    // Written back in the order they were not read in, the file is turned round.
    let forwards: Vec<Range> = (0..10_000).map(|at| range(4 * at, 4)).collect();
    mapping.pwrite_many(&forwards, &backwards).unwrap();
    assert_same!(world.contents("f"), expected);
    assert_eq!(world.usage.counters().bytes_written, 40_000);
}

#[test]
fn of_overlapping_ranges_the_later_wins() {
    let world = World::new();
    world.file("f", b"........");
    let mapping = world.map("f", &WRITE);
    mapping.pwrite_many(&[range(0, 4), range(2, 4), range(8, 0)], b"aaaabbbb").unwrap();
    assert_eq!(world.contents("f"), b"aabbbb..");
}

#[test]
fn no_ranges_and_empty_ranges_are_fine() {
    let world = World::new();
    world.file("empty", b"");
    world.file("f", b"contents");
    for name in ["f", "empty"] {
        let mapping = world.map(name, &READ_WRITE);
        assert_eq!(mapping.pread_many(&[], &mut []), Ok(()));
        assert_eq!(mapping.pwrite_many(&[], &[]), Ok(()));
        let nothing = [range(0, 0), range(0, 0)];
        assert_eq!(mapping.pread_many(&nothing, &mut []), Ok(()));
        assert_eq!(mapping.pwrite_many(&nothing, &[]), Ok(()));
        assert_eq!(mapping.pread_many(&[range(9, 0)], &mut []), Err(OutOfBounds.into()));
        assert_eq!(mapping.pwrite_many(&[range(9, 0)], &[]), Err(OutOfBounds.into()));
    }
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn one_range_out_of_bounds_and_nothing_moves() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    for bad in [range(8, 1), range(u64::MAX, 1), range(7, 2), range(1 << 63, 1)] {
        let length = 4 + bad.length as usize;
        let ranges = [range(0, 4), bad];
        let mut target = vec![0xee; length];
        assert_eq!(mapping.pread_many(&ranges, &mut target), Err(OutOfBounds.into()), "{bad:?}");
        assert!(target.iter().all(|byte| *byte == 0xee), "{bad:?}");
        let data = vec![b'x'; length];
        assert_eq!(mapping.pwrite_many(&ranges, &data), Err(OutOfBounds.into()), "{bad:?}");
    }
    assert_eq!(world.contents("f"), b"contents");
    let counted = world.usage.counters();
    assert_eq!((counted.bytes_read, counted.bytes_written), (0, 0));
}

#[test]
fn lengths_whose_sum_overflows_move_nothing() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    let overflowing = [range(0, 1), range(0, u64::MAX), range(0, 1)];
    let mut target = [0xee; 1];
    assert_eq!(mapping.pread_many(&overflowing, &mut target), Err(OutOfBounds.into()));
    assert_eq!(target, [0xee]);
    // The sum, cut to 64 bits, would be that of the data.
    assert_eq!(mapping.pwrite_many(&overflowing, b"x"), Err(Badarg.into()));
    let both = [range(0, 1 << 63), range(0, 1 << 63), range(0, 4)];
    assert_eq!(mapping.pwrite_many(&both, b"xxxx"), Err(Badarg.into()));
    assert_eq!(world.contents("f"), b"contents");
}

#[test]
fn lengths_that_do_not_add_up_to_the_data_are_badarg() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    let ranges = [range(0, 2), range(4, 2)];
    for data in [&b""[..], b"x", b"xxx", b"xxxxx", b"xxxxxxxx"] {
        assert_eq!(mapping.pwrite_many(&ranges, data), Err(Badarg.into()), "{}", data.len());
        let mut target = vec![0xee; data.len()];
        assert_eq!(mapping.pread_many(&ranges, &mut target), Err(Badarg.into()));
        assert!(target.iter().all(|byte| *byte == 0xee));
    }
    assert_eq!(mapping.pwrite_many(&[], b"x"), Err(Badarg.into()));
    assert_eq!(world.contents("f"), b"contents");
}

/// What a range counts for at least.
const LEAST: u64 = 4096;

#[test]
fn a_batch_over_the_limit_of_a_call_moves_nothing() {
    let limit = 4 * LEAST;
    let world = World::limited(limits(|l| l.call_bytes = limit));
    let contents = pattern(5 * LEAST);
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    let most = [range(0, LEAST), range(100, 3 * LEAST)];
    let more = [range(0, LEAST), range(100, 3 * LEAST + 1)];
    let moved = limit as usize;
    mapping.pread_many(&most, &mut vec![0; moved]).unwrap();
    mapping.pwrite_many(&most, &vec![1; moved]).unwrap();
    let written = world.contents("f");
    assert_eq!(mapping.pread_many(&more, &mut vec![0; moved + 1]), Err(LimitExceeded.into()));
    assert_eq!(mapping.pwrite_many(&more, &vec![2; moved + 1]), Err(LimitExceeded.into()));
    // Out of bounds is said before the limit.
    let far = [range(0, LEAST), range(3 * LEAST, 3 * LEAST + 1)];
    assert_eq!(mapping.pread_many(&far, &mut vec![0; moved + 1]), Err(OutOfBounds.into()));
    assert_eq!(mapping.pwrite_many(&far, &vec![2; moved + 1]), Err(OutOfBounds.into()));
    assert_same!(world.contents("f"), written);
    assert_eq!(world.usage.counters().bytes_read, limit);
}

#[test]
fn a_list_of_ranges_counts_for_the_limit_of_a_call() {
    let world = World::limited(limits(|l| l.call_bytes = 4 * LEAST + 1));
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    // One for each page's worth of bytes, and one more, whatever they move.
    let five = [range(0, 1); 5];
    let six = [range(0, 1); 6];
    assert_eq!(mapping.pread_many(&five, &mut [0; 5]), Ok(()));
    assert_eq!(mapping.pwrite_many(&five, b"CCCCC"), Ok(()));
    assert_eq!(mapping.pread_many(&six, &mut [0; 6]), Err(LimitExceeded.into()));
    assert_eq!(mapping.pwrite_many(&six, b"xxxxxx"), Err(LimitExceeded.into()));
    // Nor do more of them that move nothing at all.
    assert_eq!(mapping.pread_many(&[range(0, 0); 6], &mut []), Err(LimitExceeded.into()));
    assert_eq!(mapping.pwrite_many(&[range(0, 0); 6], &[]), Err(LimitExceeded.into()));
    assert_eq!(world.contents("f"), b"Contents");
}

#[test]
fn a_batch_on_a_closed_mapping_is_closed_first_of_all() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &READ_WRITE);
    mapping.close().unwrap();
    let bad = [range(u64::MAX, u64::MAX)];
    assert_eq!(mapping.pread_many(&bad, &mut []), Err(Closed.into()));
    assert_eq!(mapping.pwrite_many(&bad, &[]), Err(Closed.into()));
    assert_eq!(mapping.pread_many(&[], &mut []), Err(Closed.into()));
    assert_eq!(mapping.pwrite_many(&[], &[]), Err(Closed.into()));
}
