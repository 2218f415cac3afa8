//! A failed open leaves the world as it was, whatever it failed of.
//!
//! Where the process runs out of something, it is one of its own.
#![cfg(target_os = "linux")]

use crate::support::*;
use iommap::{Limits, OpenOptions};
use std::fs;

/// Ways to open `f` that would change it, and `new` that would make it.
fn changes(size: u64) -> Vec<(&'static str, OpenOptions)> {
    let private = |options: OpenOptions| options.private(true);
    vec![
        ("f", READ_WRITE.size(size)),
        ("f", TRUNCATE.size(size)),
        ("f", private(TRUNCATE).size(size)),
        ("f", PRIVATE.size(size)),
        ("f", CREATE.size(size).truncate(true)),
        ("new", CREATE.size(size)),
        ("new", CREATE.size(size).truncate(true)),
        ("new", CREATE.size(size).exclusive(true)),
        ("new", private(CREATE).size(size)),
    ]
}

#[track_caller]
fn assert_untouched(world: &World, contents: &[u8], allocated: u64) {
    assert_eq!(world.names(), ["f"]);
    assert_same!(world.contents("f"), contents);
    assert_eq!(world.allocated("f"), allocated);
    assert!(descriptors(&world.path("f")).is_empty());
    assert_eq!(mapped_ranges(&world.path("f")), 0);
    world.assert_idle();
}

#[test]
fn an_open_without_address_space_changes_nothing() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let allocated = world.allocated("f");
        for (name, options) in changes(1 << 30) {
            let little = status("VmSize") + (64 << 20);
            let error = with_rlimit(libc::RLIMIT_AS, little, || world.refused(name, &options));
            assert_eq!(error, Enomem, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    });
}

#[test]
fn an_open_that_fails_of_emfile_changes_nothing() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let allocated = world.allocated("f");
        // Whatever is free below the limit is taken first, so that the number left is known.
        let most = 64;
        let taken: Vec<fs::File> = with_rlimit(libc::RLIMIT_NOFILE, most, || {
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect()
        });
        for (name, options) in changes(5 * page()) {
            let mut failures = 0;
            for left in 0..8 {
                world.file("f", &contents);
                let opened = with_rlimit(libc::RLIMIT_NOFILE, most + left, || {
                    world.open(name, &options).map(drop)
                });
                match opened {
                    Ok(()) => {
                        let _ = fs::remove_file(world.path("new"));
                        break;
                    }
                    Err(error) => {
                        assert_eq!(error, Emfile, "{name} {options:?} {left}");
                        assert_untouched(&world, &contents, allocated);
                        failures += 1;
                    }
                }
            }
            assert!((1..8).contains(&failures), "{name} {options:?}: {failures}");
        }
        drop(taken);
    });
}

#[test]
fn an_open_that_fails_of_efbig_changes_nothing() {
    in_child(|| {
        // The kernel would send SIGXFSZ, which ends the process, before it says EFBIG.
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let allocated = world.allocated("f");
        for (name, options) in changes(64 * page()) {
            let little = 4 * page();
            let error = with_rlimit(libc::RLIMIT_FSIZE, little, || world.refused(name, &options));
            assert_eq!(error, Efbig, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    });
}

#[test]
fn a_size_that_no_address_space_holds_changes_nothing() {
    let limits = limits(|l| {
        l.file_bytes = u64::MAX;
        l.mapped_bytes = u64::MAX;
    });
    let world = World::without_budget(limits);
    let contents = pattern(3 * page());
    world.file("f", &contents);
    let allocated = world.allocated("f");
    for size in [1 << 60, i64::MAX as u64 - 1, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
        for (name, options) in changes(size) {
            assert_eq!(world.refused(name, &options), Enomem, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    }
}

#[test]
fn a_failed_create_leaves_an_empty_file_that_was_there() {
    let world = World::limited(limits(|l| l.mapped_bytes = 99));
    world.file("f", b"");
    for exclusive in [false, true] {
        let options = CREATE.size(100).exclusive(exclusive);
        // A limit is said before the file system is asked what there is.
        assert_eq!(world.refused("f", &options), LimitExceeded);
        assert_eq!(world.names(), ["f"]);
        assert_eq!(world.length("f"), 0);
    }
}

/// A directory with names below it in which a file is made and has to go again.
fn with_directories(limits: Limits) -> (World, [&'static str; 6]) {
    let world = World::limited(limits);
    fs::create_dir_all(world.path("sub/deep")).unwrap();
    std::os::unix::fs::symlink("sub/deep", world.path("link")).unwrap();
    let names = ["new", "./new", "sub/new", "sub/deep/../new", "link/new", "sub/../link/../new"];
    (world, names)
}

#[track_caller]
fn assert_nothing_made(world: &World, name: &str) {
    for path in ["new", "sub/new", "sub/deep/new"] {
        assert!(!world.path(path).exists(), "{name} has left {path}");
    }
    world.assert_idle();
}

#[test]
fn a_failed_create_leaves_no_file_behind_any_name() {
    let (world, names) = with_directories(limits(|l| l.mapped_bytes = 10));
    for name in names {
        for exclusive in [false, true] {
            let options = CREATE.exclusive(exclusive).size(11);
            assert_eq!(world.refused(name, &options), LimitExceeded, "{name}");
            assert_nothing_made(&world, name);
        }
        // It can be made there all the same.
        drop(world.map(name, &CREATE.exclusive(true).size(10)));
        fs::remove_file(world.path(name)).unwrap();
    }
}

#[test]
fn a_failed_create_at_the_last_descriptor_leaves_no_file() {
    in_child(|| {
        let (world, names) = with_directories(limits(|l| l.mapped_bytes = 10));
        let options = CREATE.size(11);
        let most = 64;
        let taken: Vec<fs::File> = with_rlimit(libc::RLIMIT_NOFILE, most, || {
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect()
        });
        for name in names {
            let mut seen = Vec::new();
            for left in 0..8 {
                let error =
                    with_rlimit(libc::RLIMIT_NOFILE, most + left, || world.refused(name, &options));
                assert_nothing_made(&world, name);
                seen.push(error);
            }
            assert_eq!(seen[0], Emfile, "{name}");
            assert_eq!(seen[7], LimitExceeded, "{name}");
        }
        drop(taken);
    });
}
