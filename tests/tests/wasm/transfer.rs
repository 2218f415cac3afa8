//! `pread` and `pwrite`, and the order in which calls are checked.

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
fn a_range_that_ends_outside_is_all_or_nothing() {
    on_each_store(|scene| {
        // In the middle of a page: it is the size that counts, not the page.
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play(
            "
            open m /data/f read-write               -> ok
            pread m 10000 0                         -> ok hex:
            pread m 10001 0                         -> err out-of-bounds
            pread m 9999 2                          -> err out-of-bounds
            pread m 10000 1                         -> err out-of-bounds
            pread m 0 10001                         -> err out-of-bounds
            pwrite m 10000 hex:                     -> ok
            pwrite m 10001 hex:                     -> err out-of-bounds
            pwrite m 9999 hex:abcd                  -> err out-of-bounds
            pwrite m 9900 fill:7:101                -> err out-of-bounds
            pwrite m 10000 hex:00                   -> err out-of-bounds
            ",
        );
        assert_eq!(scene.read("f"), bytes);
        assert_eq!((guest.counters().bytes_read, guest.counters().bytes_written), (0, 0));
    });
}

#[test]
fn the_largest_numbers_are_refused_everywhere() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        let max = u64::MAX;
        for (command, answer) in [
            (format!("pread m {max} 0"), "out-of-bounds"),
            (format!("pread m 0 {max}"), "out-of-bounds"),
            (format!("pread m {max} {max}"), "out-of-bounds"),
            (format!("pread m 1 {max}"), "out-of-bounds"),
            (format!("pread m {} 1", 1u64 << 63), "out-of-bounds"),
            (format!("pread m {} 1", 1u64 << 32), "out-of-bounds"),
            (format!("pread m 0 {}", 1u64 << 32), "out-of-bounds"),
            (format!("pwrite m {max} hex:"), "out-of-bounds"),
            (format!("pwrite m {max} hex:00"), "out-of-bounds"),
            (format!("pread-many m {max}+{max},0+1"), "out-of-bounds"),
            (format!("pread-many m 0+1,{max}+1"), "out-of-bounds"),
            (format!("pread-many m 0+{max},0+2"), "out-of-bounds"),
            (format!("pwrite-many m {max}+1 hex:00"), "out-of-bounds"),
            (format!("pwrite-many m 0+{max},0+2 hex:00"), "badarg"),
            (format!("sync-range m {max} 0 sync"), "out-of-bounds"),
            (format!("sync-range m 0 {max} sync"), "out-of-bounds"),
            (format!("sync-range m {max} {max} async"), "out-of-bounds"),
            (format!("advise m {max} 0 random"), "out-of-bounds"),
            (format!("advise m 0 {max} dontneed"), "out-of-bounds"),
            (format!("advise m {max} {max} willneed"), "out-of-bounds"),
            (format!("truncate m {max}"), "limit-exceeded"),
            (format!("open x /data/f read-write - size={max}"), "limit-exceeded"),
            (format!("open x /data/f read-write private size={max}"), "limit-exceeded"),
        ] {
            assert_eq!(guest.step(&command), format!("err {answer}"), "{command}");
        }
        guest.play("pread m 0 5 -> ok hex:68656c6c6f");
        assert_eq!(scene.read("f"), b"hello");
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

#[test]
fn the_first_thing_wrong_in_order_is_said() {
    on_each_store(|scene| {
        let bytes = pattern(20_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest_with(scene.grant().max_call_bytes(8192));
        guest.play(
            "
            open r /data/f read                     -> ok
            open w /data/f write                    -> ok
            open b /data/f read-write               -> ok
            open c /data/f write                    -> ok
            close c                                 -> ok

            pread c 30000 30000                     -> err closed
            pwrite c 30000 fill:1:30000             -> err closed
            pread-many c 30000+30000                -> err closed
            pwrite-many c 30000+30000 hex:00        -> err closed
            sync-range c 30000 30000 sync           -> err closed
            advise c 30000 30000 normal             -> err closed
            truncate c 18446744073709551615         -> err closed

            pread w 30000 30000                     -> err eacces
            pwrite r 30000 fill:1:30000             -> err eacces
            pread-many w 30000+30000                -> err eacces
            pwrite-many r 30000+30000 hex:00        -> err eacces
            truncate r 18446744073709551615         -> err eacces

            pread b 11000 10000                     -> err out-of-bounds
            pwrite b 11000 fill:1:10000             -> err out-of-bounds
            pread-many b 11000+10000                -> err out-of-bounds

            pread b 80 8193                         -> err limit-exceeded
            pwrite b 80 fill:1:8193                 -> err limit-exceeded
            pread-many b 0+8193                     -> err limit-exceeded
            pread-many b 0+1,1+1,2+1,3+1            -> err limit-exceeded
            pread b 80 16                           -> ok hex:PATTERN
            "
            .replace("hex:PATTERN", &shown(&bytes[80..96]))
            .as_str(),
        );
        assert_eq!(guest.counters().bytes_written, 0);
    });
}
