//! `iommap:wasi`: mapping what the guest has open through WASI.

use iommap::{FsPerms, IommapCtx, Limits};
use iommap_tests::scene::{Kind, Scene, assert_all_returned, on_each_store};
use std::fs;

#[test]
fn a_mapping_outlives_its_descriptor() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play(
            "
            wasi-open fd /data/f read,write         -> ok
            map m fd read-write - size=8            -> ok
            wasi-drop fd                            -> ok
            pread m 0 8                             -> ok hex:68656c6c6f000000
            pwrite m 5 text:!!!                     -> ok
            truncate m 6                            -> ok
            position m                              -> ok 6
            close m                                 -> ok
            pread m 0 1                             -> err closed
            ",
        );
        assert_eq!(scene.read("f"), b"hello!");
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn a_read_only_grant_maps_descriptors_for_reading() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play(
            "
            wasi-open fd /data/f read               -> ok
            open x /data/f read-write               -> err eacces
            map m fd read                           -> ok
            pread m 0 5                             -> ok hex:68656c6c6f
            ",
        );
    });
}

#[test]
fn a_descriptor_for_reading_never_changes_the_file() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let story = "
            wasi-open fd /data/f read               -> ok
            map x fd write                          -> err eacces
            map x fd read-write                     -> err eacces
            map x fd read-write shared              -> err eacces
            map x fd read-write private size=6      -> err eacces
            map x fd read - size=6                  -> err badarg
            map r fd read - size=5                  -> ok
            pwrite r 0 text:J                       -> err eacces
            truncate r 1                            -> err eacces
            map p fd read-write private             -> ok
            pwrite p 0 text:J                       -> ok
            pread p 0 5                             -> ok hex:4a656c6c6f
            pread r 0 5                             -> ok hex:68656c6c6f
            ";
        scene.guest().play(story);
        // However it was opened, a read-only directory holds too.
        scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly)).play(story);
        assert_eq!(scene.read("f"), b"hello");
    });
}

#[test]
fn a_descriptor_for_writing_only_is_refused() {
    // `mmap` reads pages in whatever is then done with them.
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            wasi-open fd /data/f write              -> ok
            map x fd write                          -> err eacces
            map x fd read                           -> err eacces
            map x fd read private                   -> err eacces
            ",
        );
    });
}

#[test]
fn options_of_opening_are_badarg_for_a_descriptor() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            wasi-open fd /data/f read,write                 -> ok
            map x fd read-write create                      -> err badarg
            map x fd read-write truncate                    -> err badarg
            map x fd read-write create,exclusive            -> err badarg
            map x fd read-write exclusive                   -> err badarg
            map x fd read-write private,truncate            -> err badarg
            map x fd read-write shared,private              -> err badarg
            map x fd read create                            -> err badarg
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
    });
}

#[test]
fn a_descriptor_of_no_regular_file_is_enotreg() {
    on_each_store(|scene| {
        fs::create_dir(scene.path("directory")).unwrap();
        let mut builder = scene.grant();
        builder.preopened_dir("/dev", "/dev", FsPerms::ReadWrite).unwrap();
        scene.guest_with(&mut builder).play(
            "
            wasi-open d /data/directory read,directory      -> ok
            map x d read                                    -> err enotreg
            map x d read-write                              -> err enotreg
            map x d read truncate                           -> err badarg
            wasi-open d /data read,directory                -> ok
            map x d read                                    -> err enotreg
            wasi-open d /dev/null read,write                -> ok
            map x d read-write                              -> err enotreg
            ",
        );
    });
}

#[test]
fn limits_hold_for_descriptors() {
    on_each_store(|scene| {
        scene.write("f", vec![7; 3000]);
        let mut limits = Limits::default();
        (limits.mappings, limits.mapped_bytes, limits.file_bytes) = (2, 7000, 3500);
        let mut guest = scene.guest_with(scene.grant().limits(limits));
        guest.play(
            "
            wasi-open fd /data/f read,write         -> ok
            map x fd read lock                      -> err eacces
            map x fd read-write - size=3501         -> err limit-exceeded
            map a fd read                           -> ok
            map b fd read                           -> ok
            map c fd read                           -> err limit-exceeded
            close b                                 -> ok
            map d fd read-write - size=3500         -> ok
            close a                                 -> ok
            map e fd read                           -> ok
            ",
        );
        assert_eq!((guest.counters().mappings, guest.counters().mapped_bytes), (2, 7000));
        guest.play("close d -> ok");
        scene.cut("f", 7001);
        guest.play("map g fd read -> err limit-exceeded");
        guest.play("close e -> ok");
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn a_dropped_descriptor_traps_and_others_go_on() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play("open m /data/f read -> ok");
        assert!(guest.try_step("map-stale x read").is_err());
        let usage = guest.usage();
        drop(guest);
        assert_all_returned(&usage);
        scene.guest().play("open m /data/f read -> ok");
    });
}

#[test]
fn a_cut_file_is_sigbus_by_its_descriptor_too() {
    on_each_store(|scene| {
        scene.write("f", vec![7; 10_000]);
        let mut guest = scene.guest();
        guest.play(
            "
            wasi-open fd /data/f read               -> ok
            map m fd read                           -> ok
            ",
        );
        scene.cut("f", 0);
        guest.play("pread m 0 1 -> err sigbus");
        assert_eq!(guest.counters().faults_recovered, 1);
    });
}

#[test]
fn a_file_opened_with_std_is_mapped_or_an_error() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.write("g", "other");
        fs::create_dir(scene.path("sub")).unwrap();
        scene.write("sub/f", "below");
        let mut guest = scene.guest();
        guest.play(
            "
            std /data/f read                        -> ok hex:68656c6c6f
            std data/./sub//f read-write            -> ok hex:62656c6f77
            ",
        );
        let replaced = guest.step("std /data/f read /data/g");
        assert_eq!(
            replaced,
            "err other cannot open /data/f: the path leads to another file than the one that is open"
        );
        guest.play("std /data/f read -> ok hex:6f74686572");
        let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play("std /data/f read -> ok hex:6f74686572");
        let refused = guest.step("std /data/f read-write");
        assert!(refused.contains("not permitted"), "{refused}");
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn a_private_mapping_of_a_descriptor_may_grow_the_file() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play(
            "
            wasi-open fd /data/f read,write             -> ok
            map p fd read-write private size=8          -> ok
            position p                                  -> ok 8
            pwrite p 4 text:O!!!                        -> ok
            pread p 0 8                                 -> ok hex:68656c6c4f212121
            truncate p 9                                -> err eacces
            map w fd write private size=9               -> ok
            position w                                  -> ok 9
            map s fd read-write private size=3          -> ok
            position s                                  -> ok 9
            map x fd read private size=10               -> err badarg
            map x fd read-write private size=0xffffffffffffffff -> err limit-exceeded
            ",
        );
        assert_eq!(
            scene.read("f"),
            b"hello\0\0\0\0",
            "the size acts on the file, a write does not"
        );
        let usage = guest.usage();
        drop(guest);
        assert_all_returned(&usage);
    });
}

#[test]
fn a_private_mapping_of_a_file_of_std_may_grow_it() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play(
            "
            std /data/f read-write private              -> ok hex:68656c6c6f
            std /data/f read-write private size=7       -> ok hex:68656c6c6f0000
            std /data/f read-write size=8               -> ok hex:68656c6c6f000000
            std /data/f read-write private size=3       -> ok hex:68656c6c6f000000
            ",
        );
        assert_eq!(scene.read("f"), b"hello\0\0\0");
        // Where it may only be read, what does not grow it is fine.
        let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play("std /data/f read-write private size=8 -> ok hex:68656c6c6f000000");
        let refused = guest.step("std /data/f read-write private size=9");
        assert!(refused.contains("not permitted"), "{refused}");
        assert_eq!(scene.read("f"), b"hello\0\0\0");
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn no_grant_and_no_descriptor() {
    let scene = Scene::new(Kind::Sync);
    let mut guest = scene.guest_with(&mut IommapCtx::builder());
    guest.play("wasi-open fd /data/f read -> bad no directory has this name");
}

#[test]
fn an_open_file_is_mapped_whatever_became_of_its_path() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play("file h /data/f read-write -> ok\nmap-open m h read -> ok");
        fs::rename(scene.path("f"), scene.path("g")).unwrap();
        scene.write("f", "other");
        guest.play("map-open n h read-write -> ok\npwrite n 0 text:J -> ok");
        fs::remove_file(scene.path("g")).unwrap();
        guest.play(
            "
            map-open o h read                       -> ok
            file-drop h                             -> ok
            pread m 0 5                             -> ok hex:4a656c6c6f
            pread o 0 5                             -> ok hex:4a656c6c6f
            ",
        );
        assert_eq!(scene.read("f"), b"other");
    });
}

#[test]
fn an_open_file_is_mapped_for_no_more_than_it_is_open_for() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.viewer(&mut scene.grant());
        guest.play(
            "
            file r /data/f read                     -> ok
            map-open m r read-write                 -> err eacces
            file w /data/f read-write               -> ok
            map-open m r read-write                 -> ok
            file-drop w                             -> ok
            map-open n r read-write                 -> err eacces
            map-open n r read                       -> ok
            file d /data read                       -> ok
            map-open x d read                       -> err enoent
            ",
        );
        let mut guest = scene.viewer(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play("file r /data/f read -> ok\nmap-open m r read-write -> err eacces");
    });
}

#[test]
fn no_more_open_files_are_looked_through_than_there_may_be_handles() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.write("g", "other");
        let mut guest = scene.viewer(scene.grant().max_handles(100));
        guest.play("file f /data/f read -> ok");
        for n in 1..100 {
            assert_eq!(guest.step(&format!("file g{n} /data/g read")), "ok");
        }
        guest.play("map-open m f read -> ok\npread m 0 1 -> ok hex:68");
        guest.play(
            "
            file more /data/g read                  -> ok
            map-open n f read                       -> err limit-exceeded
            map-open n more read                    -> err limit-exceeded
            file-drop g1                            -> ok
            map-open n more read                    -> ok
            pread n 0 1                             -> ok hex:6f
            ",
        );
        assert_eq!(guest.counters().refused, 2);
    });
}
