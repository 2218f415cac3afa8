//! Limits, and that what a guest used returns on every path. Counters.

use iommap::ErrorKind;
use iommap_tests::scene::{assert_all_returned, on_each_store, page, pattern, shown};

#[test]
fn the_limit_on_mappings_holds_until_one_goes() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(scene.grant().max_mappings(2));
        guest.play(
            "
            open a /data/f read                     -> ok
            open b /data/f read                     -> ok
            open c /data/f read                     -> err limit-exceeded
            close a                                 -> ok
            open c /data/f read                     -> ok
            open d /data/f read                     -> err limit-exceeded
            drop b                                  -> ok
            open d /data/f read                     -> ok
            drop a                                  -> ok
            open e /data/f read                     -> err limit-exceeded
            ",
        );
        assert_eq!(guest.counters().mappings, 2);
    });
}

#[test]
fn opens_that_fail_use_up_nothing() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest =
            scene.guest_with(scene.grant().max_mappings(1).max_mapped_bytes(10).max_file_bytes(10));
        for _ in 0..5 {
            guest.play(
                "
                open x /data/none read                          -> err enoent
                open x /data read                               -> err enotreg
                open x /data/f read shared,private              -> err badarg
                open x /data/f read-write create,exclusive      -> err eexist
                open x /data/f read lock                        -> err eacces
                open x /data/f read-write - size=11             -> err limit-exceeded
                ",
            );
        }
        let counters = guest.counters();
        assert!(counters.refused > 0);
        assert_eq!((counters.opened, counters.bytes_read, counters.bytes_written), (0, 0, 0));
        assert_eq!((counters.handles, counters.private_bytes), (0, 0));
        assert_all_returned(&guest.usage());
        guest.play("open m /data/f read-write - size=10 -> ok");
    });
}

#[test]
fn the_limit_on_mapped_bytes_holds_until_some_go() {
    on_each_store(|scene| {
        scene.write("f", pattern(4_000));
        let mut guest = scene.guest_with(scene.grant().max_mapped_bytes(10_000));
        guest.play(
            "
            open a /data/f read-write               -> ok
            open b /data/f read-write               -> ok
            open c /data/f read                     -> err limit-exceeded
            truncate a 6001                         -> err limit-exceeded
            position a                              -> ok 4000
            truncate a 6000                         -> ok
            truncate a 2000                         -> ok
            ",
        );
        assert_eq!(guest.counters().mapped_bytes, 6_000);
        guest.play(
            "
            close b                                 -> ok
            open c /data/f read-write - size=8000   -> ok
            open d /data/f read                     -> err limit-exceeded
            close a                                 -> ok
            close c                                 -> ok
            ",
        );
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn the_limit_on_a_files_length_holds() {
    on_each_store(|scene| {
        scene.write("long", pattern(9_000));
        let mut guest = scene.guest_with(scene.grant().max_file_bytes(5_000));
        guest.play(
            "
            open x /data/new read-write create size=5001    -> err limit-exceeded
            open m /data/new read-write create size=5000    -> ok
            truncate m 5001                                 -> err limit-exceeded
            truncate m 5000                                 -> ok
            open l /data/long read-write                    -> ok
            position l                                      -> ok 9000
            truncate l 8000                                 -> ok
            open x /data/long read-write - size=8001        -> err limit-exceeded
            ",
        );
        assert_eq!(scene.read("long").len(), 8_000);
        assert_eq!(scene.read("new").len(), 5_000);
    });
}

#[test]
fn the_limit_on_a_calls_bytes_holds() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest_with(scene.grant().max_call_bytes(8192));
        guest.play(
            "
            open m /data/f read-write                       -> ok
            pread m 0 8193                                  -> err limit-exceeded
            pwrite m 0 fill:1:8193                          -> err limit-exceeded
            pread-many m 0+4096,0+4097                      -> err limit-exceeded
            pwrite-many m 0+4096,0+4097 fill:1:8193         -> err limit-exceeded
            ",
        );
        // However short they are: one range for each 4,096 bytes, and one more.
        guest.play(
            "
            pread-many m 0+1,0+1,0+1,0+1                    -> err limit-exceeded
            pread-many m 0+0,0+0,0+0,0+0                    -> err limit-exceeded
            pwrite-many m 0+0,0+0,0+0,0+0 hex:              -> err limit-exceeded
            pread-many m 0+8192,0+1                         -> err limit-exceeded
            ",
        );
        assert_eq!(scene.read("f"), pattern(10_000));
        guest.play(
            "
            pwrite m 0 fill:7:8192                          -> ok
            pread-many m 0+1,0+1,0+1                        -> ok hex:070707
            ",
        );
        guest.play(&format!("pread-many m 4096+4096,0+4096 -> ok {}", shown(&[7; 8192])));
        guest.play(&format!("pread m 0 8192 -> ok {}", shown(&[7; 8192])));
    });
}

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
fn every_byte_that_moved_is_counted_and_no_other() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        guest.step("pread m 0 1000");
        guest.step("pread m 9999 1");
        guest.step("pread m 9999 2");
        guest.step("pread-many m 0+10,5+10,0+0");
        guest.step("pread-many m 0+10,9999+2");
        guest.step("pwrite m 0 fill:1:70");
        guest.step("pwrite m 9999 fill:1:70");
        guest.step("pwrite-many m 0+3,0+3 fill:1:6");
        guest.step("pwrite-many m 0+3,0+3 fill:1:7");
        let counters = guest.counters();
        assert_eq!((counters.mappings, counters.mapped_bytes), (1, 10_000));
        assert_eq!(counters.opened, 1);
        assert_eq!((counters.reads, counters.bytes_read), (3, 1_021));
        assert_eq!((counters.writes, counters.bytes_written), (2, 76));
        assert_eq!((counters.faults_recovered, counters.locked_bytes), (0, 0));
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
