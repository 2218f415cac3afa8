//! What a path may reach: the grant it falls in, and nothing outside.

use crate::support::*;
use iommap::{FsPerms, Grants, Limits, OpenOptions, Usage};
use std::fs;
use std::os::unix::fs::symlink;

/// A world whose grant is a directory with a secret file beside it.
fn beside_a_secret() -> (tempfile::TempDir, World) {
    let outer = tempfile::TempDir::new().unwrap();
    fs::write(outer.path().join("secret"), b"secret").unwrap();
    let granted = outer.path().join("granted");
    fs::create_dir_all(granted.join("sub")).unwrap();
    fs::write(granted.join("f"), b"mine").unwrap();
    let world = World::at(&granted, Limits::default(), FsPerms::ReadWrite);
    (outer, world)
}

/// Every way to open a file, each of which a path that leads out must refuse.
fn ways() -> Vec<OpenOptions> {
    let sized = CREATE.size(100);
    let private = CREATE.private(true);
    vec![READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE, sized, private]
}

#[test]
fn a_path_out_of_the_grant_is_eacces() {
    refuse_escapes();
}

#[cfg(target_os = "linux")]
#[test]
fn paths_are_held_inside_without_openat2_too() {
    in_child(|| {
        for errno in [libc::EPERM, libc::ENOSYS] {
            // A filter that was set stays; of two the more recent error counts.
            without_openat2(errno);
            refuse_escapes();
            reach_what_is_inside();
            refuse_magic_links();
            refuse_dangling_links();
            refuse_files_as_directories();
            refuse_what_is_too_long();
            refuse_a_new_name_with_a_trailing_slash();
        }
    });
}

fn refuse_escapes() {
    let (outer, world) = beside_a_secret();
    let secret = outer.path().join("secret");
    symlink(&secret, world.path("absolute")).unwrap();
    symlink("../secret", world.path("relative")).unwrap();
    symlink("..", world.path("up")).unwrap();
    symlink(outer.path(), world.path("away")).unwrap();
    symlink("relative", world.path("twice")).unwrap();
    symlink("/", world.path("root")).unwrap();
    symlink(world.path("f"), world.path("home")).unwrap();
    symlink("loop", world.path("loop")).unwrap();
    symlink("pong", world.path("ping")).unwrap();
    symlink("ping", world.path("pong")).unwrap();
    let before = world.names();
    for path in [
        "..",
        "../secret",
        "../granted/f",
        "sub/../../secret",
        "sub/../../granted/f",
        "../../../../../../../../etc/passwd",
        "absolute",
        "relative",
        "twice",
        "up/secret",
        "up/granted/f",
        "away/secret",
        "away/new",
        "up/new",
        "root/etc/passwd",
        // It leads back into the grant, but by an absolute path: it left.
        "home",
        "loop",
        "loop/f",
        "ping",
    ] {
        for options in ways() {
            assert_eq!(world.refused(path, &options), Eacces, "{path} {options:?}");
        }
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
    assert_eq!(world.names(), before);
    assert_eq!(world.contents("f"), b"mine");
    world.assert_idle();
}

#[test]
fn an_escaping_link_makes_nothing_outside() {
    let (outer, world) = beside_a_secret();
    symlink("../new", world.path("out")).unwrap();
    let exclusive = CREATE.exclusive(true);
    // O_EXCL doesn't follow the last name: it exists, whatever it points to.
    assert_eq!(world.refused("out", &exclusive), Eexist);
    assert_eq!(world.refused("../new", &exclusive), Eacces);
    assert_eq!(world.refused("out", &CREATE), Eacces);
    assert!(!outer.path().join("new").exists());
}

#[test]
fn paths_that_stay_inside_reach_the_file() {
    reach_what_is_inside();
}

fn reach_what_is_inside() {
    let (_outer, world) = beside_a_secret();
    symlink("f", world.path("link")).unwrap();
    symlink("../f", world.path("sub/back")).unwrap();
    symlink("sub", world.path("dir")).unwrap();
    for path in ["f", "./f", "//f", "sub/../f", "link", "sub/back", "dir/../f", "dir/back"] {
        assert_eq!(all(&world.map(path, &READ)), b"mine", "{path}");
    }
    fs::write(world.path("sub/ünï code\n"), b"named").unwrap();
    assert_eq!(all(&world.map("sub/ünï code\n", &READ)), b"named");
    // Written through a link, it is the file that changes.
    world.map("link", &READ_WRITE).pwrite(0, b"M").unwrap();
    assert_eq!(world.contents("f"), b"Mine");
    drop(world.map("dir/made", &CREATE));
    assert!(world.path("sub/made").is_file());
}

#[cfg(target_os = "linux")]
#[test]
fn a_magic_link_of_proc_is_eacces() {
    refuse_magic_links();
}

fn refuse_magic_links() {
    let (outer, _) = beside_a_secret();
    let secret = fs::File::open(outer.path().join("secret")).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&secret);
    let proc = World::at("/proc/self".as_ref(), Limits::default(), FsPerms::ReadWrite);
    for path in [format!("fd/{number}"), "exe".into(), "cwd/Cargo.toml".into(), "root/etc".into()] {
        assert_eq!(proc.refused(&path, &READ), Eacces, "{path}");
        assert_eq!(proc.refused(&path, &PRIVATE), Eacces, "{path}");
    }
    // And by a link that an ordinary grant holds.
    let world = World::new();
    symlink(format!("/proc/self/fd/{number}"), world.path("magic")).unwrap();
    assert_eq!(world.refused("magic", &READ), Eacces);
}

#[test]
fn a_path_with_a_nul_is_badarg() {
    let world = World::new();
    world.file("f", b"contents");
    for path in ["\0", "f\0", "\0f", "f\0g", "x/\0/y"] {
        for options in [READ, CREATE, TRUNCATE] {
            assert_eq!(world.refused(path, &options), Badarg, "{path:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn an_empty_path_is_enoent() {
    let world = World::new();
    for options in [READ, CREATE, PRIVATE] {
        let opened = world.grants.open(&world.usage, "", &options);
        assert_eq!(opened.unwrap_err(), Enoent, "{options:?}");
    }
}

#[test]
fn a_name_or_path_too_long_is_badarg() {
    refuse_what_is_too_long();
}

fn refuse_what_is_too_long() {
    let world = World::new();
    let longest = "n".repeat(255);
    drop(world.map(&longest, &CREATE));
    for options in [READ, READ_WRITE, CREATE, CREATE.exclusive(true)] {
        assert_eq!(world.refused(&"n".repeat(256), &options), Badarg);
        assert_eq!(world.refused(&"./".repeat(3000), &options), Badarg);
        assert_eq!(world.refused(&"x".repeat(1 << 20), &options), Badarg);
    }
    assert_eq!(world.names(), [longest]);
}

#[test]
fn a_file_used_as_a_directory_is_enoent() {
    refuse_files_as_directories();
}

fn refuse_files_as_directories() {
    let world = World::new();
    world.file("f", b"contents");
    for path in ["f/", "f//", "f/.", "f/g", "f/..", "f/../f", "missing/g"] {
        for options in [READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE] {
            assert_eq!(world.refused(path, &options), Enoent, "{path} {options:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn a_new_name_with_a_trailing_slash_makes_nothing() {
    refuse_a_new_name_with_a_trailing_slash();
}

fn refuse_a_new_name_with_a_trailing_slash() {
    let world = World::new();
    let error = world.refused("new/", &CREATE);
    // It says that a directory is meant, and there is none.
    assert!(matches!(error.kind(), Enoent | Enotreg), "{error:?}");
    assert!(world.names().is_empty());
}

#[test]
fn create_makes_nothing_by_a_dangling_link() {
    refuse_dangling_links();
}

fn refuse_dangling_links() {
    let world = World::new();
    symlink("nothing", world.path("link")).unwrap();
    fs::create_dir(world.path("sub")).unwrap();
    symlink("../nothing", world.path("sub/link")).unwrap();
    for path in ["link", "sub/link"] {
        for options in [READ, READ_WRITE, CREATE, CREATE.size(10)] {
            assert_eq!(world.refused(path, &options), Enoent, "{path} {options:?}");
        }
    }
    assert_eq!(world.names(), ["link", "sub"]);
}

#[test]
fn a_path_in_no_grant_is_eacces() {
    let world = World::new();
    world.file("f", b"contents");
    let open = |grants: &Grants, path: &str| {
        grants.open(&world.usage, path, &READ).map(|mapping| all(&mapping))
    };
    assert_eq!(open(&Grants::default(), "/d/f"), Err(Eacces.into()));
    for path in ["f", "/f", "/e/f", "/dd/f", "..", "../d/f", "/x/../d/f", "/etc/passwd"] {
        assert_eq!(open(&world.grants, path), Err(Eacces.into()), "{path}");
    }
    // The guest's name for it, with or without a slash in front, as in WASI.
    for path in ["/d/f", "d/f", "./d/f", "/d//f", "//d/./f"] {
        assert_eq!(open(&world.grants, path), Ok(b"contents".to_vec()), "{path}");
    }
}

#[test]
fn of_nested_grants_the_longest_name_counts() {
    let world = World::read_only();
    fs::create_dir(world.path("rw")).unwrap();
    world.file("rw/f", b"inner");
    world.file("f", b"outer");
    let mut grants = world.grants.clone();
    grants.preopened_dir(world.path("rw"), "/d/rw", FsPerms::ReadWrite).unwrap();
    let usage = Usage::new(Limits::default());
    let open = |path: &str, options: &OpenOptions| {
        grants.open(&usage, path, options).map(|mapping| mapping.len())
    };
    for path in ["/d/rw/f", "d/rw/f", "/d/./rw//f"] {
        assert_eq!(open(path, &READ), Ok(Ok(5)), "{path}");
        assert_eq!(open(path, &READ_WRITE), Ok(Ok(5)), "{path}");
        assert_eq!(open(path, &CREATE), Ok(Ok(5)), "{path}");
    }
    assert_eq!(open("/d/rw/new", &CREATE), Ok(Ok(0)));
    // By the outer grant it is as the outer grant says.
    for path in ["/d/f", "/d/rwf", "/d/./x", "/d/new"] {
        assert_eq!(open(path, &CREATE), Err(Eacces.into()), "{path}");
        assert_eq!(open(path, &TRUNCATE), Err(Eacces.into()), "{path}");
    }
    // A name that only starts like the grant's is not below it.
    assert_eq!(open("/d/rwlf", &READ), Err(Enoent.into()));
    assert_eq!(world.names(), ["f", "rw"]);
    assert_eq!(world.contents("rw/f"), b"inner");
}

#[test]
fn a_read_only_grant_allows_reading_and_private_only() {
    let world = World::read_only();
    world.file("f", b"contents");
    assert_eq!(all(&world.map("f", &READ)), b"contents");
    for access in [READ, WRITE, READ_WRITE] {
        let private = access.private(true);
        let mapping = world.map("f", &private);
        if writes(&private) {
            mapping.pwrite(0, b"C").unwrap();
        }
        // A size that the file has asks for no change.
        drop(world.map("f", &private.size(8)));
    }
    for options in [
        WRITE,
        READ_WRITE,
        CREATE,
        TRUNCATE,
        CREATE.exclusive(true),
        READ_WRITE.size(9),
        PRIVATE.size(9),
        CREATE.private(true),
        TRUNCATE.private(true),
    ] {
        assert_eq!(world.refused("f", &options), Eacces, "{options:?}");
    }
    for options in [CREATE, CREATE.private(true)] {
        assert_eq!(world.refused("new", &options), Eacces, "{options:?}");
    }
    // What makes no sense anywhere is said before what is not allowed here.
    assert_eq!(world.refused("f", &READ.create(true)), Badarg);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn what_a_files_permissions_forbid_is_eacces() {
    in_child(|| {
        let world = World::new();
        set_mode(&world.path(""), 0o755);
        set_mode(&world.file("readable", b"contents"), 0o444);
        set_mode(&world.file("hidden", b"contents"), 0o000);
        as_nobody(|| {
            assert_eq!(all(&world.map("readable", &READ)), b"contents");
            let mapping = world.map("readable", &PRIVATE);
            mapping.pwrite(0, b"C").unwrap();
            drop(mapping);
            for options in [WRITE, READ_WRITE, TRUNCATE, CREATE] {
                assert_eq!(world.refused("readable", &options), Eacces, "{options:?}");
            }
            // Private, but the options act on the file.
            let growing = PRIVATE.size(9);
            assert_eq!(world.refused("readable", &growing), Eacces);
            let fitting = PRIVATE.size(8);
            assert_eq!(all(&world.map("readable", &fitting)), b"contents");
            for options in [READ, PRIVATE, READ_WRITE] {
                assert_eq!(world.refused("hidden", &options), Eacces, "{options:?}");
            }
        });
        set_mode(&world.path(""), 0o555);
        assert_eq!(as_nobody(|| world.refused("new", &CREATE)), Eacces);
        assert_eq!(world.contents("readable"), b"contents");
        assert_eq!(world.names(), ["hidden", "readable"]);
        world.assert_idle();
    });
}
