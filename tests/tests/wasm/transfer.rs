//! `pread` and `pwrite`, byte by byte. What is checked first is a case in `tests/conformance/cases.txt`.

use iommap_tests::scene::{OFFLOAD_ABOVE, on_each_store, pattern, shown};

#[test]
fn every_byte_of_a_read_is_the_files() {
    on_each_store(|scene| {
        let bytes = pattern(200_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play("open m /data/f read -> ok");
        let edge = OFFLOAD_ABOVE as usize;
        for offset in [0, 1, 4095, 4096, 99_999] {
            for length in [0, 1, 7, 8, edge - 1, edge, edge + 1, 4096, 65_537, 100_000] {
                let answer = guest.step(&format!("pread m {offset} {length}"));
                assert_eq!(answer, format!("ok {}", shown(&bytes[offset..][..length])));
            }
        }
        guest.play(&format!("pread m 0 200000 -> ok {}", shown(&bytes)));
    });
}

#[test]
fn a_write_changes_exactly_its_bytes() {
    on_each_store(|scene| {
        let mut bytes = pattern(100_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        for (offset, length) in [(0, 1), (4095, 2), (50_000, 65), (60_001, 30_000), (99_999, 1)] {
            guest.play(&format!("pwrite m {offset} fill:0xa5:{length} -> ok"));
            bytes[offset..offset + length].fill(0xa5);
            assert!(scene.read("f") == bytes, "after {length} bytes at {offset}");
        }
        guest.play(&format!("pread m 0 100000 -> ok {}", shown(&bytes)));
    });
}

#[test]
fn the_largest_numbers_are_refused_without_limits_too() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut limits = iommap::Limits::default();
        for limit in [
            &mut limits.mappings,
            &mut limits.mapped_bytes,
            &mut limits.file_bytes,
            &mut limits.call_bytes,
            &mut limits.locked_bytes,
        ] {
            *limit = u64::MAX;
        }
        let mut guest = scene.guest_with(scene.grant().limits(limits));
        guest.play("open m /data/f read-write -> ok");
        for size in [u64::MAX, i64::MAX as u64, 1 << 62] {
            for command in [
                format!("truncate m {size}"),
                format!("open x /data/f read-write - size={size}"),
                format!("open x /data/new read-write create size={size}"),
                format!("open x /data/f read-write truncate,lock size={size}"),
            ] {
                let answer = guest.step(&command);
                let refused = ["err limit-exceeded", "err enomem", "err efbig", "err enospc"];
                assert!(refused.contains(&&*answer), "{command}: {answer}");
            }
        }
        guest.play(
            "
            pread m 0 5                     -> ok hex:68656c6c6f
            pread m 0 18446744073709551615  -> err out-of-bounds
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
        assert_eq!(scene.names(), ["f"]);
        assert_eq!((guest.counters().mappings, guest.counters().mapped_bytes), (1, 5));
    });
}
