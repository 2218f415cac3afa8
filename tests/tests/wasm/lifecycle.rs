//! What happens to a mapping between `open` and its end, beside the cases in
//! `tests/conformance/cases.txt`.

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
