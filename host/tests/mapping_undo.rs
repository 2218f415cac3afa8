//! A failed open leaves the world as it was, whatever it failed of.
//!
//! Where the process runs out of something, it is one of its own.

mod support;

use iommap::{Error, Limits, OpenOptions};
use std::fs;
use support::*;

/// Ways to open `f` that would change it, and `new` that would make it.
fn changes(size: u64) -> Vec<(&'static str, OpenOptions)> {
    let size = Some(size);
    let private = |options| OpenOptions { private: true, ..options };
    vec![
        ("f", OpenOptions { size, ..READ_WRITE }),
        ("f", OpenOptions { size, ..TRUNCATE }),
        ("f", OpenOptions { size, ..private(TRUNCATE) }),
        ("f", OpenOptions { size, ..PRIVATE }),
        ("f", OpenOptions { size, truncate: true, ..CREATE }),
        ("new", OpenOptions { size, ..CREATE }),
        ("new", OpenOptions { size, truncate: true, ..CREATE }),
        ("new", OpenOptions { size, exclusive: true, ..CREATE }),
        ("new", OpenOptions { size, ..private(CREATE) }),
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
fn given_no_address_space_when_opened_then_enomem_and_nothing_has_changed() {
    in_child(|| {
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let allocated = world.allocated("f");
        for (name, options) in changes(1 << 30) {
            let little = status("VmSize") + (64 << 20);
            let error = with_rlimit(libc::RLIMIT_AS, little, || world.refused(name, &options));
            assert_eq!(error, Error::NoMem, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    });
}

#[test]
fn given_few_descriptors_when_an_open_fails_of_emfile_then_nothing_has_changed() {
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
                        assert_eq!(error, Error::MFile, "{name} {options:?} {left}");
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
fn given_a_length_the_file_system_refuses_when_opened_then_efbig_and_nothing_has_changed() {
    in_child(|| {
        // The kernel would send SIGXFSZ, which ends the process, before it says EFBIG.
        let world = World::new();
        let contents = pattern(3 * page());
        world.file("f", &contents);
        let allocated = world.allocated("f");
        for (name, options) in changes(64 * page()) {
            let little = 4 * page();
            let error = with_rlimit(libc::RLIMIT_FSIZE, little, || world.refused(name, &options));
            assert_eq!(error, Error::FBig, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    });
}

#[test]
fn given_a_size_that_no_address_space_holds_when_opened_then_enomem_and_nothing_has_changed() {
    let limits = Limits { file_bytes: u64::MAX, mapped_bytes: u64::MAX, ..Limits::default() };
    let world = World::limited(limits);
    let contents = pattern(3 * page());
    world.file("f", &contents);
    let allocated = world.allocated("f");
    for size in [1 << 60, i64::MAX as u64 - 1, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
        for (name, options) in changes(size) {
            assert_eq!(world.refused(name, &options), Error::NoMem, "{name} {options:?}");
            assert_untouched(&world, &contents, allocated);
        }
    }
}

#[test]
fn given_an_empty_file_that_was_there_when_an_open_with_create_fails_then_it_stays() {
    let world = World::limited(Limits { mapped_bytes: 99, ..Limits::default() });
    world.file("f", b"");
    for exclusive in [false, true] {
        let options = OpenOptions { size: Some(100), exclusive, ..CREATE };
        let error = world.refused("f", &options);
        assert_eq!(error, if exclusive { Error::Exist } else { Error::LimitExceeded });
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
fn given_a_name_in_directories_and_behind_links_when_a_create_fails_then_no_file_stays() {
    let (world, names) = with_directories(Limits { mapped_bytes: 10, ..Limits::default() });
    for name in names {
        for exclusive in [false, true] {
            let options = OpenOptions { exclusive, size: Some(11), ..CREATE };
            assert_eq!(world.refused(name, &options), Error::LimitExceeded, "{name}");
            assert_nothing_made(&world, name);
        }
        // It can be made there all the same.
        drop(world.map(name, &OpenOptions { exclusive: true, size: Some(10), ..CREATE }));
        fs::remove_file(world.path(name)).unwrap();
    }
}

#[test]
fn given_the_last_descriptor_taken_by_the_new_file_when_the_open_fails_then_no_file_stays() {
    in_child(|| {
        let (world, names) = with_directories(Limits { mapped_bytes: 10, ..Limits::default() });
        let options = OpenOptions { size: Some(11), ..CREATE };
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
            assert_eq!(seen.first(), Some(&Error::MFile), "{name}");
            assert_eq!(seen.last(), Some(&Error::LimitExceeded), "{name}");
        }
        drop(taken);
    });
}
