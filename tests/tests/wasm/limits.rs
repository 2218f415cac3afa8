//! That what a guest used returns on every path. Each limit is a case in
//! `tests/conformance/cases.txt`.

use iommap::ErrorKind;
use iommap_tests::scene::{assert_all_returned, on_each_store, page, pattern};

#[test]
fn the_default_limits_are_as_documented() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        for n in 0..64 {
            guest.play(&format!("open m{n} /data/f read -> ok"));
        }
        guest.play("open x /data/f read -> err limit-exceeded");
        guest.play("close m0 -> ok");
        let too_long = (64u64 << 30) + 1;
        guest.play(&format!("open x /data/f read-write - size={too_long} -> err limit-exceeded"));
        assert_eq!(scene.read("f"), b"hello");
    });
}

#[test]
fn all_returns_with_the_store_of_a_guest_that_trapped() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        for end in ["trap", "oob"] {
            let mut guest = scene.guest_with(scene.grant().max_locked_bytes(1 << 20));
            guest.play(
                "
                open a /data/f read-write           -> ok
                open b /data/f read lock            -> ok
                open c /data/f read-write private   -> ok
                close c                             -> ok
                ",
            );
            guest.try_step(end).unwrap_err();
            assert!(guest.try_step("position a").is_err(), "it is not entered again");
            let usage = guest.usage();
            let used = usage.counters();
            assert_eq!((used.mappings, used.mapped_bytes, used.locked_bytes), (2, 20_000, 10_000));
            drop(guest);
            assert_all_returned(&usage);
            assert_eq!(usage.counters().opened, 3, "what was done stays known");
        }
    });
}

#[test]
fn all_returns_with_a_store_that_has_open_mappings() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest();
        for n in 0..20 {
            guest.play(&format!("open m{n} /data/f read-write -> ok"));
        }
        let usage = guest.usage();
        assert_eq!(usage.counters().mapped_bytes, 200_000);
        drop(guest);
        assert_all_returned(&usage);
    });
}

#[test]
fn many_opens_and_closes_add_up_to_nothing() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(scene.grant().max_mappings(1).max_mapped_bytes(5));
        for _ in 0..500 {
            guest.play("open m /data/f read -> ok");
            guest.play("drop m -> ok");
        }
        assert_all_returned(&guest.usage());
        assert_eq!(guest.counters().opened, 500);
    });
}

#[test]
fn refusals_are_counted_by_kind_and_peaks_stay_known() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest();
        guest.play(
            "
            open a /data/f read                     -> ok
            open c /data/none read                  -> err enoent
            open c /data/none read                  -> err enoent
            open b /data/f read                     -> ok
            close a                                 -> ok
            pread b 9999 2                          -> err out-of-bounds
            pread a 0 1                             -> err closed
            pread-many b 0+1,9999+2                 -> err out-of-bounds
            pwrite b 0 fill:1:1                     -> err eacces
            pwrite-many b 0+2 fill:1:1              -> err eacces
            truncate b 5                            -> err eacces
            close b                                 -> ok
            ",
        );
        let usage = guest.usage();
        let found: Vec<_> = ErrorKind::ALL
            .iter()
            .map(|kind| (kind.name(), usage.refused(*kind)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(found, [("enoent", 2), ("eacces", 3), ("closed", 1), ("out-of-bounds", 2)]);
        let counters = usage.counters();
        assert_eq!((counters.refused, counters.reads, counters.writes), (8, 0, 0));
        assert_eq!((counters.mappings, counters.mapped_bytes), (0, 0));
        assert_eq!((counters.peak_mappings, counters.peak_mapped_bytes), (2, 20_000));
        assert_eq!((counters.peak_handles, counters.peak_private_bytes), (2, 0));
        guest.play("open n /data/f read-write private -> ok");
        guest.play("pwrite n 0 fill:1:1 -> ok");
        guest.play("truncate n 20 -> err eacces");
        guest.play("open w /data/f read-write -> ok");
        guest.play("truncate w 30000 -> ok");
        guest.play("close w -> ok");
        let counters = guest.counters();
        assert_eq!(counters.peak_mapped_bytes, 40_000);
        assert_eq!(counters.peak_private_bytes, page());
    });
}

#[test]
fn one_store_at_its_limit_leaves_the_other_its_own() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        // One builder, two contexts: each has an usage of its own.
        let mut builder = scene.grant();
        builder.max_mappings(1);
        let mut one = scene.guest_with(&mut builder);
        let mut other = scene.guest_with(&mut builder);
        one.play("open m /data/f read -> ok");
        one.play("open n /data/f read -> err limit-exceeded");
        other.play("open m /data/f read -> ok");
    });
}

#[test]
fn more_bytes_than_wasmtime_lifts_are_an_error_and_no_trap() {
    on_each_store(|scene| {
        // One byte more than a store's `hostcall_fuel` allows a call, unless it is set.
        let much = (128 << 20) + 1;
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play(&format!(
            "
            open m /data/f read-write               -> ok
            open r /data/f read                     -> ok
            open l /data/l read-write create size={much} -> ok
            pwrite m 0 fill:7:{much}                -> err out-of-bounds
            pwrite r 0 fill:7:{much}                -> err eacces
            pwrite l 0 fill:7:{much}                -> err limit-exceeded
            close m                                 -> ok
            pwrite m 0 fill:7:{much}                -> err closed
            pread l 0 5                             -> ok hex:0000000000
            "
        ));
        assert_eq!(scene.read("f"), b"hello");
    });
}
