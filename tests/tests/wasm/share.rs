//! Many stores on one file, and mappings that an embedder shares with its guests.

use iommap::{AccessMode, FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
use iommap_tests::Scene;
use iommap_tests::child::in_child;
use iommap_tests::scene::{DATA, assert_all_returned, on_each_store, page, pattern, shown};
use iommap_tests::wat::{FREE, HONEST, RESULT};
use std::fs;
use std::sync::Arc;

/// How many ranges of this process's address space map a file of a scene.
fn ranges(scene: &Scene, name: &str) -> usize {
    let path = scene.path(name).canonicalize().expect("a path");
    let maps = fs::read_to_string("/proc/self/maps").expect("maps");
    maps.lines().filter(|line| line.ends_with(path.to_str().expect("a path"))).count()
}

/// A mapping that an embedder opens.
fn open(scene: &Scene, name: &str, access: AccessMode, usage: &Arc<Usage>) -> Mapping {
    let mut grants = Grants::default();
    grants.preopened_dir(scene.directory(), DATA, FsPerms::ReadWrite).expect("a grant");
    let options = OpenOptions::new().access(access);
    grants.open(usage, &format!("{DATA}/{name}"), &options).expect("a mapping")
}

/// A mapping of the embedder's own.
fn mapping(scene: &Scene, name: &str, access: AccessMode) -> Arc<Mapping> {
    Arc::new(open(scene, name, access, &Usage::new(Limits::default())))
}

#[test]
fn one_range_serves_many_stores_on_one_file() {
    on_each_store(|scene| {
        let contents = pattern(3 * page() as usize + 5);
        scene.write("f", &contents);
        // Built apart from each other, as those of several customers would be.
        let mut guests: Vec<_> = (0..10).map(|_| scene.guest()).collect();
        for guest in &mut guests {
            guest.play("open r /data/f read -> ok");
        }
        assert_eq!(ranges(scene, "f"), 1);
        let expected = format!("ok {}", shown(&contents));
        for guest in &mut guests {
            assert_eq!(guest.step(&format!("pread r 0 {}", contents.len())), expected);
            assert_eq!(guest.counters().mapped_bytes, contents.len() as u64);
            guest.play("open w /data/f read-write -> ok");
        }
        assert_eq!(ranges(scene, "f"), 2);
        guests.truncate(1);
        guests[0].play("close r -> ok");
        assert_eq!(ranges(scene, "f"), 1);
        let usage = guests[0].usage();
        drop(guests);
        assert_eq!(ranges(scene, "f"), 0);
        assert_all_returned(&usage);
    });
}

#[test]
fn without_common_regions_each_store_has_a_range_of_its_own() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let mut builder = scene.grant();
        builder.common_regions(false);
        let mut guests: Vec<_> = (0..3).map(|_| scene.guest_with(&mut builder)).collect();
        for guest in &mut guests {
            guest.play("open m /data/f read -> ok");
        }
        assert_eq!(ranges(scene, "f"), 3);
    });
}

#[test]
fn a_store_keeps_what_is_its_own_on_a_common_region() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let (mut one, mut other) = (scene.guest(), scene.guest());
        for guest in [&mut one, &mut other] {
            guest.play(
                "
                open m /data/f read-write           -> ok
                open p /data/f read-write private   -> ok
                ",
            );
        }
        // What is written is seen; what is written privately is not.
        one.play(
            "
            pwrite m 0 text:C                       -> ok
            pwrite p 1 text:O                       -> ok
            sync m sync                             -> ok
            ",
        );
        other.play("pread m 0 2 -> ok hex:436f");
        other.play("pread p 1 1 -> ok hex:6f");
        // Its hints, its length and its end are its own.
        one.play(
            "
            advise m 0 0 random                     -> ok
            advise m 0 0 dontneed                   -> ok
            advise m 0 9 normal                     -> err out-of-bounds
            truncate m 10000                        -> ok
            position m                              -> ok 10000
            pwrite m 9999 text:!                    -> ok
            ",
        );
        other.play(
            "
            position m                              -> ok 8
            pread m 0 8                             -> ok hex:436f6e74656e7473
            pread m 8 1                             -> err out-of-bounds
            ",
        );
        one.play("close m -> ok");
        drop(one);
        other.play(
            "
            pread m 0 8                             -> ok hex:436f6e74656e7473
            pwrite m 7 text:S                       -> ok
            truncate m 9                            -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"ContentS\0");
    });
}

#[test]
fn each_fault_on_a_common_region_is_its_readers() {
    in_child(|| {
        on_each_store(|scene| {
            scene.write("f", pattern(2 * page() as usize));
            let (mut one, mut other) = (scene.guest(), scene.guest());
            for guest in [&mut one, &mut other] {
                guest.play("open m /data/f read -> ok");
            }
            scene.cut("f", 1);
            one.play(&format!("pread m {} 1 -> err sigbus", page()));
            let faults = [&one, &other].map(|guest| guest.counters().faults_recovered);
            assert_eq!(faults, [1, 0]);
            other.play("pread m 100 2 -> ok hex:0000");
        });
    });
}

#[test]
fn stores_read_on_when_another_on_their_file_traps() {
    on_each_store(|scene| {
        scene.write("f", "contents");
        let (mut one, mut other) = (scene.guest(), scene.guest());
        for guest in [&mut one, &mut other] {
            guest.play("open m /data/f read -> ok");
        }
        one.try_step("trap").expect_err("a trap");
        let usage = one.usage();
        drop(one);
        assert_all_returned(&usage);
        other.play("pread m 0 3 -> ok hex:636f6e");
        assert_eq!(ranges(scene, "f"), 1);
    });
}

#[test]
fn guests_open_an_embedders_mapping_by_its_name() {
    on_each_store(|scene| {
        scene.write("index", "contents");
        let index = mapping(scene, "index", AccessMode::Read);
        let mut builder = scene.grant();
        builder.share("/shared/index", index.clone(), FsPerms::ReadOnly);
        let mut guests: Vec<_> = (0..10).map(|_| scene.guest_with(&mut builder)).collect();
        for guest in &mut guests {
            guest.play(
                "
                open m /shared/index read                   -> ok
                position m                                  -> ok 8
                pread m 0 3                                 -> ok hex:636f6e
                pread-many m 7+1,0+1                        -> ok hex:7363
                pwrite m 0 text:x                           -> err eacces
                truncate m 0                                -> err eacces
                advise m 0 0 willneed                       -> ok
                sync m sync                                 -> ok
                open n /shared/index read-write             -> err eacces
                open n /shared/index read-write create      -> err eacces
                open n /shared/index read-write private     -> err enotsup
                open n /shared/index read lock              -> err eacces
                open n /shared/index read - size=9          -> err badarg
                open n /shared/index/x read                 -> err enoent
                open n /shared/other read                   -> err eacces
                ",
            );
        }
        assert_eq!(ranges(scene, "index"), 1);
        guests[0].play("close m -> ok");
        guests[1].play("drop m -> ok");
        guests.swap_remove(2);
        guests[2].play("pread m 0 1 -> ok hex:63");
        assert_eq!(index.len(), Ok(8));
        // Gone for those who come, kept by those who have it.
        index.close().expect("the first close");
        guests[0].play("open n /shared/index read -> err enoent");
        guests[3].play("pread m 0 1 -> ok hex:63");
        drop(guests);
        assert_eq!(ranges(scene, "index"), 0);
    });
}

#[test]
fn what_is_written_to_an_embedders_mapping_is_seen_by_all() {
    on_each_store(|scene| {
        scene.write("board", "--------");
        let board = mapping(scene, "board", AccessMode::ReadWrite);
        let mut builder = scene.grant();
        builder.share("board", board.clone(), FsPerms::ReadWrite);
        let (mut one, mut other) = (scene.guest_with(&mut builder), scene.guest_with(&mut builder));
        one.play(
            "
            open m board read-write             -> ok
            pwrite m 0 text:one                 -> ok
            truncate m 100                      -> err eacces
            open n board read-write truncate    -> err eacces
            open n board read-write create      -> ok
            ",
        );
        other.play(
            "
            open m board read-write             -> ok
            pread m 0 4                         -> ok hex:6f6e652d
            pwrite m 5 text:two                 -> ok
            sync m sync                         -> ok
            ",
        );
        let mut found = [0; 8];
        board.pread(0, &mut found).expect("the bytes");
        assert_eq!(&found, b"one--two");
        assert_eq!(scene.read("board"), b"one--two");
        assert_eq!(one.counters().mappings, 2);
    });
}

#[test]
fn a_mapping_that_an_embedder_gives_away_is_its_guests() {
    on_each_store(|scene| {
        scene.write("f", pattern(4096));
        let mut guest = scene.hostile(HONEST);
        let usage = guest.host().usage();
        let given = open(scene, "f", AccessMode::ReadWrite, &usage);
        guest.adopt(given.into()).expect("a handle");
        guest.list(&[(0, 8), (100, 8)]).expect("memory");
        for _ in 0..3 {
            assert_eq!(guest.pread(8, 100, RESULT).expect("no trap"), "ok");
            assert_eq!(guest.pread_many(FREE, 2, RESULT).expect("no trap"), "ok");
            assert_eq!(guest.pwrite(8, FREE, 16).expect("no trap"), "ok");
            assert_eq!(guest.pwrite_many(FREE, 2, FREE, 16).expect("no trap"), "ok");
        }
        let counters = usage.counters();
        assert_eq!((counters.bytes_read, counters.bytes_written), (3 * 116, 3 * 32));
        assert_eq!(guest.close().expect("no trap"), "ok");
        assert_eq!(guest.pread(0, 1, RESULT).expect("no trap"), "closed");
        assert_eq!(guest.pwrite(0, FREE, 1).expect("no trap"), "closed");
        drop(guest);
        assert_all_returned(&usage);
    });
}

#[test]
fn a_running_guest_can_open_what_its_embedder_shares() {
    on_each_store(|scene| {
        scene.write("news", "contents");
        let news = mapping(scene, "news", AccessMode::Read);
        let mut builder = scene.grant();
        let (mut one, mut other) = (scene.guest_with(&mut builder), scene.guest_with(&mut builder));
        one.play("open m /shared/news read -> err eacces");
        one.context().share("/shared/news", news, FsPerms::ReadOnly);
        one.play("open m /shared/news read -> ok");
        other.play("open m /shared/news read -> err eacces");
    });
}
