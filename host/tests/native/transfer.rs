//! Reads and writes: all or nothing, against the size that the file has and not its pages'.

use crate::support::*;

#[test]
fn reads_inside_are_the_bytes_of_the_file() {
    let world = World::new();
    let contents = pattern(3 * page() + 100);
    world.file("f", &contents);
    let mapping = world.map("f", &READ);
    for offset in [0, 1, 63, page() - 1, page(), 2 * page() - 7, 3 * page() + 99] {
        for length in [0, 1, 2, 7, 8, 31, 64, 65, 1000, page(), page() + 1] {
            let end = (offset + length).min(contents.len() as u64);
            let expected = &contents[offset as usize..end as usize];
            assert_same!(bytes(&mapping, offset, end - offset), expected, "{offset} {length}");
        }
    }
}

#[test]
fn writes_inside_change_those_bytes_and_no_others() {
    let world = World::new();
    let mut expected = pattern(3 * page() + 100);
    world.file("f", &expected);
    let mapping = world.map("f", &READ_WRITE);
    let mut value = 0u8;
    for offset in [0, 1, 63, page() - 1, page(), 2 * page() - 7, 3 * page() + 99] {
        for length in [0, 1, 2, 7, 8, 31, 64, 65, 1000, page() + 1] {
            let end = (offset + length).min(expected.len() as u64);
            value = value.wrapping_add(37);
            let data = vec![value; (end - offset) as usize];
            mapping.pwrite(offset, &data).unwrap();
            expected[offset as usize..end as usize].fill(value);
        }
        assert_same!(all(&mapping), expected);
        assert_same!(world.contents("f"), expected);
    }
}

#[test]
fn shared_mappings_and_the_file_see_one_anothers_writes() {
    let world = World::new();
    world.file("f", b"contents");
    let (one, two) = (world.map("f", &READ_WRITE), world.map("f", &READ));
    one.pwrite(0, b"C").unwrap();
    assert_eq!(all(&two), b"Contents");
    assert_eq!(world.contents("f"), b"Contents");
    std::os::unix::fs::FileExt::write_at(
        &std::fs::OpenOptions::new().write(true).open(world.path("f")).unwrap(),
        b"S",
        7,
    )
    .unwrap();
    assert_eq!(all(&one), b"ContentS");
}

#[test]
fn a_range_past_the_length_is_out_of_bounds() {
    let world = World::new();
    let contents = pattern(page() + 100);
    let size = contents.len() as u64;
    world.file("f", &contents);
    let mapping = world.map("f", &READ_WRITE);
    for (offset, length) in [
        (size, 1),
        (size - 1, 2),
        (0, size + 1),
        (size + 1, 0),
        (size + 1, 1),
        // Inside the last page, and all the same past the end.
        (page() + 200, 1),
        (2 * page() - 1, 1),
        (2 * page(), 0),
        (1 << 32, 1),
        (i64::MAX as u64, 1),
        (1 << 63, 0),
        (u64::MAX, 0),
        (u64::MAX, 1),
        (u64::MAX - 10, 11),
        (u64::MAX - 10, 12),
        (u64::MAX - size, size + 2),
    ] {
        let mut target = vec![0xee; length as usize];
        assert_eq!(
            mapping.pread(offset, &mut target),
            Err(OutOfBounds.into()),
            "{offset} {length}"
        );
        assert!(target.iter().all(|byte| *byte == 0xee), "{offset} {length}");
        let data = vec![0xdd; length as usize];
        assert_eq!(mapping.pwrite(offset, &data), Err(OutOfBounds.into()), "{offset} {length}");
    }
    assert_same!(world.contents("f"), contents);
    let counted = world.usage.counters();
    assert_eq!((counted.bytes_read, counted.bytes_written), (0, 0));
}

#[test]
fn nothing_may_be_moved_at_the_very_end() {
    let world = World::new();
    for size in [0, 1, page() - 1, page(), page() + 1] {
        world.file("f", &pattern(size));
        let mapping = world.map("f", &READ_WRITE);
        assert_eq!(mapping.pread(size, &mut []), Ok(()), "{size}");
        assert_eq!(mapping.pwrite(size, &[]), Ok(()), "{size}");
        assert_eq!(mapping.pread(size + 1, &mut []), Err(OutOfBounds.into()), "{size}");
        assert_eq!(mapping.pwrite(size + 1, &[]), Err(OutOfBounds.into()), "{size}");
    }
}

#[test]
fn no_write_makes_a_file_longer() {
    let world = World::new();
    world.file("f", b"contents");
    let mapping = world.map("f", &WRITE);
    mapping.pwrite(0, b"CONTENTS").unwrap();
    assert_eq!(mapping.pwrite(8, b"!"), Err(OutOfBounds.into()));
    assert_eq!(mapping.pwrite(0, b"contents!"), Err(OutOfBounds.into()));
    assert_eq!(world.contents("f"), b"CONTENTS");
    // Nor after somebody else made it longer: the mapping has the size it was made with.
    world.set_length("f", 100);
    assert_eq!(mapping.len(), Ok(8));
    assert_eq!(mapping.pwrite(8, b"!"), Err(OutOfBounds.into()));
}

#[test]
fn the_counters_of_bytes_are_exact() {
    let world = World::new();
    world.file("f", &pattern(1000));
    let mapping = world.map("f", &READ_WRITE);
    for length in [0, 1, 10, 1000] {
        bytes(&mapping, 0, length);
        mapping.pwrite(0, &vec![1; length as usize]).unwrap();
    }
    mapping.pread(1000, &mut [0]).unwrap_err();
    mapping.pwrite(1000, &[0]).unwrap_err();
    let counted = world.usage.counters();
    assert_eq!(counted.bytes_read, 1011);
    assert_eq!(counted.bytes_written, 1011);
    assert_eq!((counted.opened, counted.mappings, counted.mapped_bytes), (1, 1, 1000));
    assert_eq!(counted.faults_recovered, 0);
}

/// A host of 32 bits has no place for it, and says so; it takes what is shorter.
#[cfg(target_pointer_width = "32")]
#[test]
fn a_file_over_32_bits_is_enomem_where_they_are_all() {
    let world = World::new();
    let size = (5 << 30) + 3;
    world.sparse("f", size);
    for options in [READ, READ_WRITE, READ_WRITE.size(size + 1)] {
        assert_eq!(world.refused("f", &options), Enomem, "{options:?}");
    }
    assert_eq!(world.length("f"), size);

    world.file("g", b"short");
    let mapping = world.map("g", &READ_WRITE);
    for size in [1 << 31, 1 << 32, size] {
        assert_eq!(mapping.set_len(size), Err(Enomem.into()), "{size}");
    }
    assert_eq!(world.contents("g"), b"short");
    assert_eq!(all(&mapping), b"short");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_far_end_of_a_file_over_32_bits_is_within_reach() {
    let world = World::new();
    let size = (5 << 30) + 3;
    world.sparse("f", size);
    let mapping = world.map("f", &READ_WRITE);
    mapping.pwrite(size - 3, b"end").unwrap();
    mapping.pwrite((1 << 32) - 1, b"ab").unwrap();
    assert_eq!(bytes(&mapping, size - 4, 4), b"\0end");
    assert_eq!(bytes(&mapping, (1 << 32) - 2, 4), b"\0ab\0");
    assert_eq!(bytes(&mapping, 0, 4), b"\0\0\0\0");
    assert_eq!(mapping.pread(size - 3, &mut [0; 4]), Err(OutOfBounds.into()));
    assert_eq!(world.length("f"), size);
}

#[test]
fn random_reads_and_writes_agree_with_a_vector() {
    let world = World::new();
    let size = 2 * page() + 333;
    let mut model = pattern(size);
    world.file("f", &model);
    let mapping = world.map("f", &READ_WRITE.populate(true));
    // The same in every run.
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..5_000 {
        let offset = random.u64(..size + 10);
        let length = random.u64(..300);
        let inside = offset + length <= size;
        let expected = if inside { Ok(()) } else { Err(OutOfBounds.into()) };
        if random.bool() {
            let mut target = vec![0; length as usize];
            assert_eq!(mapping.pread(offset, &mut target), expected);
            if inside {
                assert_eq!(target, model[offset as usize..][..length as usize]);
            }
        } else {
            let data: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            assert_eq!(mapping.pwrite(offset, &data), expected);
            if inside {
                model[offset as usize..][..length as usize].copy_from_slice(&data);
            }
        }
    }
    assert_same!(world.contents("f"), model);
}
