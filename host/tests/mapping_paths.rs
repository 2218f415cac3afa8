//! What a path may reach: the grant it falls in, and nothing outside.

mod support;

use iommap::{Account, Error, FsPerms, Grants, Limits, Mapping, OpenOptions};
use std::fs;
use std::os::unix::fs::symlink;
use support::*;

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
    let sized = OpenOptions { size: Some(100), ..CREATE };
    let private = OpenOptions { private: true, ..CREATE };
    vec![READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE, sized, private]
}

#[test]
fn given_a_path_that_leaves_the_grant_when_opened_then_eacces_and_nothing_changes_outside() {
    refuse_escapes();
}

#[test]
fn given_no_openat2_when_paths_are_opened_then_they_are_held_inside_all_the_same() {
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
            assert_eq!(world.refused(path, &options), Error::Acces, "{path} {options:?}");
        }
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
    assert_eq!(world.names(), before);
    assert_eq!(world.contents("f"), b"mine");
    world.assert_idle();
}

#[test]
fn given_an_escaping_link_when_opened_exclusively_then_nothing_is_made_outside() {
    let (outer, world) = beside_a_secret();
    symlink("../new", world.path("out")).unwrap();
    let exclusive = OpenOptions { exclusive: true, ..CREATE };
    // O_EXCL doesn't follow the last name: it exists, whatever it points to.
    assert_eq!(world.refused("out", &exclusive), Error::Exist);
    assert_eq!(world.refused("../new", &exclusive), Error::Acces);
    assert_eq!(world.refused("out", &CREATE), Error::Acces);
    assert!(!outer.path().join("new").exists());
}

#[test]
fn given_paths_that_stay_inside_when_opened_then_they_reach_the_file() {
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

#[test]
fn given_proc_when_a_magic_link_is_followed_then_eacces() {
    refuse_magic_links();
}

fn refuse_magic_links() {
    let (outer, _) = beside_a_secret();
    let secret = fs::File::open(outer.path().join("secret")).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&secret);
    let proc = World::at("/proc/self".as_ref(), Limits::default(), FsPerms::ReadWrite);
    for path in [format!("fd/{number}"), "exe".into(), "cwd/Cargo.toml".into(), "root/etc".into()] {
        assert_eq!(proc.refused(&path, &READ), Error::Acces, "{path}");
        assert_eq!(proc.refused(&path, &PRIVATE), Error::Acces, "{path}");
    }
    // And by a link that an ordinary grant holds.
    let world = World::new();
    symlink(format!("/proc/self/fd/{number}"), world.path("magic")).unwrap();
    assert_eq!(world.refused("magic", &READ), Error::Acces);
}

#[test]
fn given_a_path_with_a_nul_when_opened_then_badarg() {
    let world = World::new();
    world.file("f", b"contents");
    for path in ["\0", "f\0", "\0f", "f\0g", "x/\0/y"] {
        for options in [READ, CREATE, TRUNCATE] {
            assert_eq!(world.refused(path, &options), Error::BadArg, "{path:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn given_an_empty_path_when_opened_then_enoent() {
    let world = World::new();
    for options in [READ, CREATE, PRIVATE] {
        let opened = Mapping::open(&world.grants, &world.account, "", &options);
        assert_eq!(opened.err(), Some(Error::NoEnt), "{options:?}");
    }
}

#[test]
fn given_a_name_or_path_too_long_when_opened_then_badarg() {
    refuse_what_is_too_long();
}

fn refuse_what_is_too_long() {
    let world = World::new();
    let longest = "n".repeat(255);
    drop(world.map(&longest, &CREATE));
    for options in [READ, READ_WRITE, CREATE, OpenOptions { exclusive: true, ..CREATE }] {
        assert_eq!(world.refused(&"n".repeat(256), &options), Error::BadArg);
        assert_eq!(world.refused(&"./".repeat(3000), &options), Error::BadArg);
        assert_eq!(world.refused(&"x".repeat(1 << 20), &options), Error::BadArg);
    }
    assert_eq!(world.names(), [longest]);
}

#[test]
fn given_a_trailing_slash_or_a_file_as_directory_when_opened_then_enoent() {
    refuse_files_as_directories();
}

fn refuse_files_as_directories() {
    let world = World::new();
    world.file("f", b"contents");
    for path in ["f/", "f//", "f/.", "f/g", "f/..", "f/../f", "missing/g"] {
        for options in [READ, WRITE, READ_WRITE, PRIVATE, CREATE, TRUNCATE] {
            assert_eq!(world.refused(path, &options), Error::NoEnt, "{path} {options:?}");
        }
    }
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
}

#[test]
fn given_a_new_name_with_a_trailing_slash_when_created_then_nothing_is_made() {
    refuse_a_new_name_with_a_trailing_slash();
}

fn refuse_a_new_name_with_a_trailing_slash() {
    let world = World::new();
    let error = world.refused("new/", &CREATE);
    // It says that a directory is meant, and there is none.
    assert!(matches!(error, Error::NoEnt | Error::NotReg), "{error:?}");
    assert!(world.names().is_empty());
}

#[test]
fn given_a_dangling_link_when_opened_with_create_then_enoent_and_nothing_is_made() {
    refuse_dangling_links();
}

fn refuse_dangling_links() {
    let world = World::new();
    symlink("nothing", world.path("link")).unwrap();
    fs::create_dir(world.path("sub")).unwrap();
    symlink("../nothing", world.path("sub/link")).unwrap();
    for path in ["link", "sub/link"] {
        for options in [READ, READ_WRITE, CREATE, OpenOptions { size: Some(10), ..CREATE }] {
            assert_eq!(world.refused(path, &options), Error::NoEnt, "{path} {options:?}");
        }
    }
    assert_eq!(world.names(), ["link", "sub"]);
}

#[test]
fn given_no_grant_for_a_path_when_opened_then_eacces() {
    let world = World::new();
    world.file("f", b"contents");
    let open = |grants: &Grants, path: &str| {
        Mapping::open(grants, &world.account, path, &READ).map(|mapping| all(&mapping))
    };
    assert_eq!(open(&Grants::default(), "/d/f"), Err(Error::Acces));
    for path in ["f", "/f", "/e/f", "/dd/f", "..", "../d/f", "/x/../d/f", "/etc/passwd"] {
        assert_eq!(open(&world.grants, path), Err(Error::Acces), "{path}");
    }
    // The guest's name for it, with or without a slash in front, as in WASI.
    for path in ["/d/f", "d/f", "./d/f", "/d//f", "//d/./f"] {
        assert_eq!(open(&world.grants, path), Ok(b"contents".to_vec()), "{path}");
    }
}

#[test]
fn given_nested_grants_when_a_path_is_opened_then_the_longest_names_permissions_hold() {
    let world = World::new();
    fs::create_dir(world.path("ro")).unwrap();
    world.file("ro/f", b"inner");
    let mut grants = world.grants.clone();
    grants.preopened_dir(world.path("ro"), "/d/ro", FsPerms::ReadOnly).unwrap();
    let account = Account::new(Limits::default());
    let open = |path: &str, options: &OpenOptions| {
        Mapping::open(&grants, &account, path, options).map(|mapping| mapping.position())
    };
    for path in ["/d/ro/f", "d/ro/f", "/d/./ro//f"] {
        assert_eq!(open(path, &READ), Ok(Ok(5)), "{path}");
        assert_eq!(open(path, &READ_WRITE), Err(Error::Acces), "{path}");
        assert_eq!(open(path, &TRUNCATE), Err(Error::Acces), "{path}");
    }
    assert_eq!(open("/d/ro/new", &CREATE), Err(Error::Acces));
    // A name that only starts like the grant's is not below it.
    assert_eq!(open("/d/rolf", &CREATE), Ok(Ok(0)));
    assert_eq!(world.names(), ["ro", "rolf"]);
    assert_eq!(world.contents("ro/f"), b"inner");
}

#[test]
fn given_a_read_only_grant_when_opened_then_reading_and_private_work_and_the_rest_is_eacces() {
    let world = World::read_only();
    world.file("f", b"contents");
    assert_eq!(all(&world.map("f", &READ)), b"contents");
    for access in [READ, WRITE, READ_WRITE] {
        let private = OpenOptions { private: true, ..access };
        let mapping = world.map("f", &private);
        if private.access.writes() {
            mapping.pwrite(0, b"C").unwrap();
        }
        // A size that the file has asks for no change.
        drop(world.map("f", &OpenOptions { size: Some(8), ..private }));
    }
    let growing = Some(9);
    for options in [
        WRITE,
        READ_WRITE,
        CREATE,
        TRUNCATE,
        OpenOptions { exclusive: true, ..CREATE },
        OpenOptions { size: growing, ..READ_WRITE },
        OpenOptions { size: growing, ..PRIVATE },
        OpenOptions { private: true, ..CREATE },
        OpenOptions { private: true, ..TRUNCATE },
    ] {
        assert_eq!(world.refused("f", &options), Error::Acces, "{options:?}");
    }
    for options in [CREATE, OpenOptions { private: true, ..CREATE }] {
        assert_eq!(world.refused("new", &options), Error::Acces, "{options:?}");
    }
    // What makes no sense anywhere is said before what is not allowed here.
    assert_eq!(world.refused("f", &OpenOptions { create: true, ..READ }), Error::BadArg);
    assert_eq!(world.contents("f"), b"contents");
    assert_eq!(world.names(), ["f"]);
    world.assert_idle();
}

#[test]
fn given_a_files_permissions_when_they_forbid_it_then_eacces() {
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
                assert_eq!(world.refused("readable", &options), Error::Acces, "{options:?}");
            }
            // Private, but the options act on the file.
            let growing = OpenOptions { size: Some(9), ..PRIVATE };
            assert_eq!(world.refused("readable", &growing), Error::Acces);
            let fitting = OpenOptions { size: Some(8), ..PRIVATE };
            assert_eq!(all(&world.map("readable", &fitting)), b"contents");
            for options in [READ, PRIVATE, READ_WRITE] {
                assert_eq!(world.refused("hidden", &options), Error::Acces, "{options:?}");
            }
        });
        set_mode(&world.path(""), 0o555);
        assert_eq!(as_nobody(|| world.refused("new", &CREATE)), Error::Acces);
        assert_eq!(world.contents("readable"), b"contents");
        assert_eq!(world.names(), ["hidden", "readable"]);
        world.assert_idle();
    });
}
