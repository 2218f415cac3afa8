//! Windows as the Rust guest crate has them, through wasm. That they read what the file holds, and
//! that a guest is told of a lost page by a load, whatever two compilers make of its code.

use std::fs::File;
use std::time::Duration;

use iommap::{FsPerms, Mapping};
use iommap_tests::child::in_child;
use iommap_tests::scene::{Scene, assert_all_returned, on_each_store, pattern, shown};

const UNIT: usize = 64 << 10;

/// A guest with a file of this content mapped as `m`.
fn guest(scene: &Scene, bytes: &[u8]) -> iommap_tests::scene::Guest {
    scene.write("f", bytes);
    let mut guest = scene.viewer(&mut scene.grant_windows());
    guest.play("open m /data/f read-write -> ok");
    guest
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn a_guests_window_reads_what_the_file_holds() {
    on_each_store(|scene| {
        let bytes = pattern(3 * UNIT + 1000);
        let mut guest = guest(scene, &bytes);
        for (offset, length) in
            [(0, bytes.len()), (1, 1), (UNIT - 1, UNIT + 2), (2 * UNIT + 7, 900)]
        {
            let part = &bytes[offset..offset + length];
            guest.play(&format!("window w m {offset} {length} populate -> ok"));
            guest.play(&format!("read w 0 {length} -> ok {}", shown(part)));
            let sum: u64 = part.iter().map(|byte| u64::from(*byte)).sum();
            guest.play(&format!("sum w -> ok {sum}"));
            guest.play(&format!("read w {} 1 -> ok {}", length - 1, shown(&part[length - 1..])));
            guest.play(&format!("read w {} 2 -> err out-of-bounds", length - 1));
            guest.play(&format!("prefetch w 0 {length} -> ok"));
            guest.play("check w -> ok\ncheck-by-host w -> ok\nend w -> ok");
        }
        guest.play("window w m 0 0 - -> err badarg");
        guest.play(&format!("window w m 1 {} - -> err out-of-bounds", bytes.len()));
    });
}

#[test]
fn a_guest_hears_of_a_lost_page_until_it_moves_the_window() {
    in_child(|| {
        on_each_store(|scene| {
            let bytes = pattern(4 * UNIT);
            let mut guest = guest(scene, &bytes);
            guest.play(&format!("window w m 0 {} - -> ok", bytes.len()));
            guest.play(&format!("number w {} -> ok {}", 3 * UNIT, number(&bytes, 3 * UNIT)));
            scene.cut("f", UNIT as u64);
            guest.play(&format!(
                "
                number w 0      -> ok {first}
                number w {late} -> err sigbus
                number w 0      -> err sigbus
                check w         -> err sigbus
                check-by-host w -> err sigbus
                sum w           -> err sigbus
                pread m 0 8     -> ok {bytes}
                move w m 0 9999999 -> err badarg
                check w         -> err sigbus
                move w m 8 100  -> ok
                check w         -> ok
                number w 0      -> ok {second}
                ",
                first = number(&bytes, 0),
                late = 3 * UNIT,
                bytes = shown(&bytes[..8]),
                second = number(&bytes, 8),
            ));
            scene.write("f", &bytes);
            guest.play(&format!("move w m 0 {} -> ok", bytes.len()));
            guest.play(&format!("number w {} -> ok {}", 3 * UNIT, number(&bytes, 3 * UNIT)));
            guest.play("check-by-host w -> ok");
        });
    });
}

#[test]
fn a_loop_of_a_guests_loads_hears_of_a_cut() {
    in_child(|| {
        on_each_store(|scene| {
            let mut guest = guest(scene, &pattern(2 * UNIT));
            guest.play(&format!("window w m 0 {} - -> ok", 2 * UNIT));
            let path = scene.path("f");
            let other = std::thread::spawn(move || {
                // Most likely in the middle of it. If not, it is heard of all the same.
                std::thread::sleep(Duration::from_millis(50));
                File::options().write(true).open(path).unwrap().set_len(0).unwrap();
            });
            guest.play(&format!("spin w {} -> err sigbus", UNIT + 8));
            other.join().unwrap();
        });
    });
}

#[test]
fn memory_of_a_window_is_the_guests_own_again() {
    on_each_store(|scene| {
        let bytes = pattern(2 * UNIT);
        let mut guest = guest(scene, &bytes);
        let firsts: u64 = bytes[..300].iter().map(|byte| u64::from(*byte)).sum();
        guest.play(&format!("churn m 300 -> ok {firsts}"));
        assert!(scene.read("f") == bytes);
        let counters = guest.counters();
        assert_eq!((counters.windows, counters.window_bytes), (0, 0));
        guest.play("drop m -> ok");
        let usage = guest.usage();
        drop(guest);
        assert_all_returned(&usage);
    });
}

#[test]
fn a_guests_stores_reach_the_file_by_a_shared_window_only() {
    on_each_store(|scene| {
        let mut guest = guest(scene, b"hello, world");
        guest.play("window own m 0 12 - -> ok\nstore own 0 text:J -> ok");
        guest.play(&format!("read own 0 5 -> ok {}", shown(b"Jello")));
        assert_eq!(scene.read("f"), b"hello, world");
        guest.play("window all m 7 5 shared -> ok\nstore all 0 text:there -> ok");
        assert_eq!(scene.read("f"), b"hello, there");
        guest.play(&format!("pread m 7 5 -> ok {}", shown(b"there")));
    });
}

#[test]
fn a_guest_has_a_slice_of_what_is_frozen_without_any_unsafe_word() {
    on_each_store(|scene| {
        let bytes = pattern(2 * UNIT);
        scene.write("f", &bytes);
        let copy = Mapping::frozen_copy(&File::open(scene.path("f")).unwrap()).unwrap();
        let mut context = scene.grant_as(FsPerms::ReadOnly);
        context.share("/frozen", copy, FsPerms::ReadOnly);
        context.max_windows(4).max_window_bytes(1 << 20);
        let mut guest = scene.viewer(&mut context);
        guest.play("open m /frozen read -> ok");
        guest.play(&format!("window w m 5 {UNIT} frozen -> ok"));
        guest.play(&format!("slice w 0 {UNIT} -> ok {}", shown(&bytes[5..5 + UNIT])));
        guest.play(&format!("move w m {UNIT} 100 -> ok"));
        guest.play(&format!("slice w 0 100 -> ok {}", shown(&bytes[UNIT..UNIT + 100])));
        guest.play("open f /data/f read -> ok");
        guest.play("window v f 0 100 frozen -> err enotsup\nmove w f 0 100 -> err enotsup");
        guest.play("window v f 0 100 - -> err eacces");
    });
}

#[test]
fn sliding_windows_answer_as_the_mapping_with_windows_or_without() {
    in_child(|| {
        on_each_store(|scene| {
            let bytes = pattern(20 * UNIT + 77);
            for windows in [3, 0] {
                scene.write("f", &bytes);
                let mut context = scene.grant_windows();
                context.max_windows(windows);
                let mut guest = scene.viewer(&mut context);
                guest.play(&format!("open m /data/f read -> ok\nslide s m 8 {} -> ok", 2 * UNIT));
                let reads = |guest: &mut iommap_tests::scene::Guest, at: usize| {
                    let read = shown(&bytes[at..at + 40]);
                    for _ in 0..100 {
                        guest.play(&format!("read s {at} 40 -> ok {read}"));
                    }
                    guest.play(&format!("get s {at} 40 -> ok {read}"));
                };
                for at in [7, 5 * UNIT, 11 * UNIT, 15 * UNIT, bytes.len() - 40, UNIT] {
                    reads(&mut guest, at);
                }
                // Across the end of a window, and of the file.
                let across = shown(&bytes[2 * UNIT - 9..][..20]);
                guest.play(&format!("read s {} 20 -> ok {across}", 2 * UNIT - 9));
                guest.play(&format!("read s {} 41 -> err out-of-bounds", bytes.len() - 40));
                assert_eq!(guest.counters().windows, windows);
                scene.cut("f", 3 * UNIT as u64);
                for _ in 0..3 {
                    guest.play(&format!("number s {UNIT} -> ok {}", number(&bytes, UNIT)));
                    guest.play(&format!("number s {} -> err sigbus", 11 * UNIT));
                    guest.play(&format!("number s {} -> err sigbus", 3 * UNIT));
                }
            }
        });
    });
}

#[test]
fn a_guest_without_windows_is_told_so() {
    on_each_store(|scene| {
        scene.write("f", pattern(100));
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play("open m /data/f read -> ok");
        guest.play("window w m 0 100 - -> err limit-exceeded");
        guest.play("slide s m 4 65536 -> ok");
        for _ in 0..200 {
            guest.play(&format!("read s 3 9 -> ok {}", shown(&pattern(100)[3..12])));
        }
        guest.play("slid s -> ok 0 200");
    });
}
