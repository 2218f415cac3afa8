//! What happens to a mapping between `open` and its end: `sync`, `truncate`, `advise`, and `close`.

use std::fs;

use iommap_tests::scene::{Scene, on_each_store, pattern, shown};

#[test]
fn any_mapping_can_be_synced() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest();
        guest.play(
            "
            open b /data/f read-write               -> ok
            open r /data/f read                     -> ok
            open p /data/f read-write private       -> ok
            pwrite b 0 text:written                 -> ok
            pwrite p 0 text:private                 -> ok
            ",
        );
        for mapping in ["b", "r", "p"] {
            for mode in ["sync", "async"] {
                guest.play(&format!(
                    "
                    sync {mapping} {mode}                       -> ok
                    sync-range {mapping} 0 10000 {mode}         -> ok
                    sync-range {mapping} 4095 2 {mode}          -> ok
                    sync-range {mapping} 9999 1 {mode}          -> ok
                    sync-range {mapping} 10000 0 {mode}         -> ok
                    sync-range {mapping} 10000 1 {mode}         -> err out-of-bounds
                    sync-range {mapping} 10001 0 {mode}         -> err out-of-bounds
                    "
                ));
            }
        }
        assert_eq!(&scene.read("f")[..7], b"written");
    });
}

#[test]
fn truncate_makes_file_and_mapping_exactly_that_long() {
    on_each_store(|scene| {
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        for size in [20_000, 5_000, 5_001, 4_096, 0, 1, 100_000] {
            guest.play(&format!("truncate m {size} -> ok"));
            guest.play(&format!("position m -> ok {size}"));
            guest.play(&format!("pread m {size} 0 -> ok hex:"));
            guest.play(&format!("pread m {size} 1 -> err out-of-bounds"));
            assert_eq!(fs::metadata(scene.path("f")).unwrap().len(), size);
        }
        assert_eq!(scene.read("f"), [0; 100_000]);
    });
}

#[test]
fn growth_keeps_old_bytes_and_new_ones_are_zero() {
    on_each_store(|scene| {
        let mut bytes = pattern(5_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play(
            "
            open m /data/f read-write               -> ok
            pwrite m 4998 hex:aabb                  -> ok
            truncate m 9000                         -> ok
            pwrite m 8999 hex:cc                    -> ok
            ",
        );
        bytes[4998..].copy_from_slice(&[0xaa, 0xbb]);
        bytes.resize(8_999, 0);
        bytes.push(0xcc);
        guest.play(&format!("pread m 0 9000 -> ok {}", shown(&bytes)));
        assert_eq!(scene.read("f"), bytes);
    });
}

#[test]
fn truncate_sets_the_length_of_a_file_that_others_resized() {
    on_each_store(|scene| {
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        let length = || fs::metadata(scene.path("f")).unwrap().len();

        scene.cut("f", 10);
        guest.play("truncate m 5000 -> ok");
        assert_eq!(length(), 5_000);
        guest.play(&format!("pread m 0 12 -> ok {}", shown(&[&bytes[..10], &[0, 0]].concat())));

        scene.cut("f", 100_000);
        guest.play("truncate m 6000 -> ok");
        assert_eq!(length(), 6_000);

        // To the length that the mapping has, and the file no longer.
        scene.cut("f", 0);
        guest.play("truncate m 6000 -> ok");
        assert_eq!(length(), 6_000);
        guest.play("pread m 5999 1 -> ok hex:00");
    });
}

#[test]
fn truncate_needs_a_mapping_that_may_change_the_file() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            open r /data/f read                     -> ok
            open p /data/f read-write private       -> ok
            truncate r 5                            -> err eacces
            truncate p 5                            -> err eacces
            truncate p 0                            -> err eacces
            pread p 0 5                             -> ok hex:68656c6c6f
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
    });
}

#[test]
fn a_truncate_that_fails_keeps_the_old_mapping() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(scene.grant().max_file_bytes(100));
        guest.play(
            "
            open m /data/f read-write               -> ok
            truncate m 101                          -> err limit-exceeded
            position m                              -> ok 5
            pread m 0 5                             -> ok hex:68656c6c6f
            pwrite m 0 text:J                       -> ok
            truncate m 100                          -> ok
            position m                              -> ok 100
            ",
        );
        assert_eq!(guest.counters().mapped_bytes, 100);
    });
}

#[test]
fn no_hint_changes_a_byte() {
    on_each_store(|scene| {
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        guest.play(
            "
            open m /data/f read-write               -> ok
            open p /data/f read-write private       -> ok
            pwrite m 9999 hex:01                    -> ok
            pwrite p 5000 hex:02                    -> ok
            ",
        );
        let mut written = bytes.clone();
        written[9_999] = 1;
        let mut private = written.clone();
        private[5_000] = 2;
        for hint in ["normal", "random", "sequential", "willneed", "dontneed"] {
            for mapping in ["m", "p"] {
                guest.play(&format!(
                    "
                    advise {mapping} 0 0 {hint}             -> ok
                    advise {mapping} 4999 2 {hint}          -> ok
                    advise {mapping} 9999 1 {hint}          -> ok
                    advise {mapping} 10000 0 {hint}         -> ok
                    advise {mapping} 9999 2 {hint}          -> err out-of-bounds
                    advise {mapping} 10001 0 {hint}         -> err out-of-bounds
                    "
                ));
            }
            guest.play(&format!("pread m 0 10000 -> ok {}", shown(&written)));
            guest.play(&format!("pread p 0 10000 -> ok {}", shown(&private)));
        }
        assert_eq!(scene.read("f"), written);
    });
}

#[test]
fn populate_and_nocache_change_nothing_else() {
    on_each_store(|scene| {
        let bytes = pattern(10_000);
        scene.write("f", &bytes);
        let mut guest = scene.guest();
        for (name, options) in [("a", "populate"), ("b", "nocache"), ("c", "private,populate")] {
            guest.play(&format!("open {name} /data/f read-write {options} -> ok"));
            guest.play(&format!("pread {name} 0 10000 -> ok {}", shown(&bytes)));
        }
        guest.play("pwrite b 0 hex:ff -> ok");
        assert_eq!(scene.read("f")[0], 0xff);
    });
}

#[test]
fn locked_pages_are_counted() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(scene.grant().max_locked_bytes(4096));
        guest.play("open m /data/f read-write lock -> ok");
        assert_eq!(guest.counters().locked_bytes, 5);
        guest.play(
            "
            truncate m 4096                         -> ok
            truncate m 4097                         -> err limit-exceeded
            open x /data/f read lock                -> err limit-exceeded
            pread m 0 5                             -> ok hex:68656c6c6f
            ",
        );
        assert_eq!(guest.counters().locked_bytes, 4096);
        guest.play("close m -> ok");
        assert_eq!(guest.counters().locked_bytes, 0);
    });
}

#[test]
fn locking_is_refused_unless_it_is_allowed() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play("open m /data/f read lock -> err eacces");
    });
}

#[test]
fn every_call_on_a_closed_mapping_says_so() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            open m /data/f read-write               -> ok
            pwrite m 0 text:J                       -> ok
            close m                                 -> ok
            close m                                 -> err closed
            pread m 0 1                             -> err closed
            pread m 0 0                             -> err closed
            pwrite m 0 text:x                       -> err closed
            pwrite m 0 hex:                         -> err closed
            pread-many m -                          -> err closed
            pread-many m 0+1                        -> err closed
            pwrite-many m - hex:                    -> err closed
            sync m sync                             -> err closed
            sync m async                            -> err closed
            sync-range m 0 1 sync                   -> err closed
            truncate m 1                            -> err closed
            advise m 0 0 normal                     -> err closed
            position m                              -> err closed
            drop m                                  -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"Jello", "what was written stays");
    });
}

#[test]
fn nothing_is_left_of_a_closed_or_dropped_mapping() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest();
        guest.play("open m /data/f read-write -> ok");
        assert!(held(scene) > 0);
        guest.play("close m -> ok");
        assert_eq!(held(scene), 0, "at once, though the handle is kept");
        guest.play("open n /data/f read-write lock,populate -> err eacces");
        assert_eq!(held(scene), 0, "not after a failure either");
        guest.play("open n /data/f read-write -> ok");
        guest.play("drop n -> ok");
        assert_eq!(held(scene), 0);
    });
}

#[test]
fn calls_wait_on_a_thread_that_may_block() {
    on_each_store(|scene| {
        scene.write("f", pattern(10_000));
        let mut guest = scene.guest_with(scene.grant().allow_blocking_current_thread(true));
        guest.play(
            "
            open m /data/f read-write populate      -> ok
            pwrite m 0 fill:1:5000                  -> ok
            sync m sync                             -> ok
            sync-range m 4999 2 sync                -> ok
            advise m 0 0 willneed                   -> ok
            truncate m 4000                         -> ok
            position m                              -> ok 4000
            open x /data/none read                  -> err enoent
            ",
        );
        guest.play(&format!("pread m 0 4000 -> ok {}", shown(&[1; 4_000])));
    });
}

/// How many descriptors and mappings of the scene's file this process has.
fn held(scene: &Scene) -> usize {
    let file = scene.path("f");
    // Others open and close descriptors meanwhile.
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let descriptors = descriptors.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == file));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    descriptors.count() + maps.lines().filter(|line| line.ends_with(file.to_str().unwrap())).count()
}
