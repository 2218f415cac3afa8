//! `open`: paths, modes, options, sizes, kinds of files, and that a failure loses nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use iommap::{FsPerms, IommapCtx};
use iommap_tests::child::in_child;
use iommap_tests::scene::{Kind, Scene, assert_all_returned, on_each_store};

#[test]
fn paths_inside_the_grant_are_found() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.write("with a space", "hi");
        fs::create_dir(scene.path("sub")).unwrap();
        symlink("../f", scene.path("sub/link")).unwrap();
        scene.guest().play(
            r#"
            open a /data/f read                     -> ok
            position a                              -> ok 5
            open b data/f read                      -> ok
            open c ./data/.//sub/../f read          -> ok
            open d /data/sub/link read              -> ok
            pread d 0 5                             -> ok hex:68656c6c6f
            open e "/data/with a space" read        -> ok
            position e                              -> ok 2
            "#,
        );
    });
}

#[test]
fn paths_that_leave_the_grant_are_refused() {
    on_each_store(|scene| {
        let (inside, outside) = (scene.path("in"), scene.path("secret"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "secret").unwrap();
        symlink(&outside, inside.join("absolute")).unwrap();
        symlink("../secret", inside.join("relative")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("/proc/self/exe", inside.join("exe")).unwrap();
        symlink("circle", inside.join("circle")).unwrap();
        let mut builder = IommapCtx::builder();
        builder.preopened_dir(&inside, "/data", FsPerms::ReadWrite).unwrap();
        builder.preopened_dir("/proc/self", "/proc", FsPerms::ReadOnly).unwrap();
        let mut guest = scene.guest_with(&mut builder);
        guest.play(
            "
            open x /data/../secret read             -> err eacces
            open x /data/./../secret read           -> err eacces
            open x /data/absolute read              -> err eacces
            open x /data/relative read              -> err eacces
            open x /data/up/secret read             -> err eacces
            open x /data/exe read                   -> err eacces
            open x /data/circle read                -> err eacces
            open x /proc/exe read                   -> err eacces
            open x /secret read                     -> err eacces
            open x /database/f read                 -> err eacces
            open x .. read                          -> err eacces
            open x / read                           -> err eacces
            open x /data/../new read-write create   -> err eacces
            open x /data/up/new read-write create   -> err eacces
            ",
        );
        let outside = outside.display();
        guest.play(&format!("open x {outside} read  -> err eacces"));
        assert_eq!(scene.names(), ["in", "secret"]);
    });
}

#[test]
fn paths_that_name_nothing_are_refused_with_the_reason() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        symlink("nothing", scene.path("dangling")).unwrap();
        let mut guest = scene.guest();
        guest.play(
            r#"
            open x "" read                              -> err enoent
            open x /data/none read                      -> err enoent
            open x /data/none read-write                -> err enoent
            open x /data/none/f read-write create       -> err enoent
            open x /data/f/f read                       -> err enoent
            open x /data/dangling read-write create     -> err enoent
            open x "/data/a\0b" read                    -> err badarg
            open x "\0" read                            -> err badarg
            "#,
        );
        let name = "n".repeat(256);
        guest.play(&format!("open x /data/{name} read-write create   -> err badarg"));
        guest.play(&format!("open y /data/{} read-write create       -> ok", &name[1..]));
        let path = "/data".to_owned() + &"/.".repeat(1 << 15) + "/f";
        guest.play(&format!("open x {path} read                      -> err badarg"));
    });
}

#[test]
fn the_longest_name_of_nested_grants_decides() {
    on_each_store(|scene| {
        let other = Scene::new(scene.kind());
        scene.write("f", "outer");
        other.write("f", "inner");
        let mut builder = scene.grant();
        builder.preopened_dir(other.directory(), "/data/in", FsPerms::ReadOnly).unwrap();
        scene.guest_with(&mut builder).play(
            "
            open a /data/f read-write               -> ok
            pread a 0 5                             -> ok hex:6f75746572
            open b /data/in/f read                  -> ok
            pread b 0 5                             -> ok hex:696e6e6572
            open c /data/in/f read-write            -> err eacces
            ",
        );
        // Not where the outer one would be a way around the inner one.
        std::fs::create_dir(scene.path("ro")).unwrap();
        let refused = scene.grant().preopened_dir(scene.path("ro"), "/ro", FsPerms::ReadOnly).err();
        assert!(refused.is_some_and(|why| why.to_string().contains("overlap")));
    });
}

#[test]
fn nothing_is_there_without_a_grant() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(&mut IommapCtx::builder());
        guest.play("open x /data/f read -> err eacces");
        guest.play("open x f read -> err eacces");
        guest.play("open x . read -> err eacces");
        let counters = guest.counters();
        assert!(counters.refused > 0);
        assert_eq!((counters.opened, counters.bytes_read, counters.bytes_written), (0, 0, 0));
        assert_eq!((counters.handles, counters.private_bytes), (0, 0));
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn a_mode_allows_only_what_it_names() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            open r /data/f read                     -> ok
            pread r 0 5                             -> ok hex:68656c6c6f
            pwrite r 0 text:J                       -> err eacces
            pwrite r 0 hex:                         -> err eacces
            pwrite-many r - hex:                    -> err eacces
            open w /data/f write                    -> ok
            pwrite w 0 text:J                       -> ok
            pread w 0 1                             -> err eacces
            pread w 0 0                             -> err eacces
            pread-many w -                          -> err eacces
            open b /data/f read-write               -> ok
            pwrite b 1 text:E                       -> ok
            pread b 0 5                             -> ok hex:4a456c6c6f
            pread r 0 5                             -> ok hex:4a456c6c6f
            ",
        );
        assert_eq!(scene.read("f"), b"JEllo");
    });
}

#[test]
fn a_read_only_grant_never_changes_the_file() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(&mut scene.grant_as(FsPerms::ReadOnly));
        guest.play(
            "
            open x /data/f write                            -> err eacces
            open x /data/f read-write                       -> err eacces
            open x /data/f read-write private,truncate      -> err eacces
            open x /data/g read-write private,create        -> err eacces
            open x /data/f read-write private size=6        -> err eacces
            open x /data/f read create                      -> err badarg
            open r /data/f read                             -> ok
            pread r 0 1                                     -> ok hex:68
            open p /data/f read-write private size=5        -> ok
            pwrite p 0 text:J                               -> ok
            pread p 0 5                                     -> ok hex:4a656c6c6f
            open q /data/f write private                    -> ok
            pwrite q 0 text:Q                               -> ok
            pread r 0 1                                     -> ok hex:68
            sync p sync                                     -> ok
            close p                                         -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
        assert_eq!(scene.names(), ["f"]);
    });
}

#[test]
fn contradictory_options_leave_the_file_untouched() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            open x /data/f read shared,private              -> err badarg
            open x /data/g read-write exclusive             -> err badarg
            open x /data/g read create                      -> err badarg
            open x /data/f read truncate                    -> err badarg
            open x /data/g read create,exclusive            -> err badarg
            open x /data/f read private,truncate            -> err badarg
            open x /data/f read - size=6                    -> err badarg
            open x /data/f read private size=6              -> err badarg
            open x /data/f read - size=18446744073709551615 -> err badarg
            open r /data/f read - size=5                    -> ok
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
        assert_eq!(scene.names(), ["f"]);
    });
}

#[test]
fn create_truncate_and_exclusive_act_on_the_file() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
        guest.play(
            "
            open x /data/f read-write create,exclusive              -> err eexist
            open a /data/f read-write create                        -> ok
            position a                                              -> ok 5
            open b /data/new read-write create,exclusive            -> ok
            position b                                              -> ok 0
            open c /data/f read-write truncate size=3               -> ok
            pread c 0 3                                             -> ok hex:000000
            open d /data/private write private,create size=7        -> ok
            pwrite d 0 text:private                                 -> ok
            ",
        );
        assert_eq!(scene.read("f"), [0; 3]);
        assert_eq!(scene.read("private"), [0; 7], "the size acts on the file, the write does not");
        guest.play("open e /data/private read-write private,truncate -> ok");
        assert_eq!(scene.read("private"), b"");
        assert_eq!(scene.names(), ["f", "new", "private"]);
    });
}

#[test]
fn a_size_grows_the_file_and_never_shrinks_it() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        scene.guest().play(
            "
            open a /data/f read-write - size=2              -> ok
            position a                                      -> ok 5
            open b /data/f read-write - size=8              -> ok
            position b                                      -> ok 8
            pread b 0 8                                     -> ok hex:68656c6c6f000000
            position a                                      -> ok 5
            pread a 5 1                                     -> err out-of-bounds
            open c /data/f read-write private size=9        -> ok
            position c                                      -> ok 9
            ",
        );
        assert_eq!(scene.read("f"), b"hello\0\0\0\0");
    });
}

#[test]
fn an_open_that_fails_late_leaves_the_world_as_it_was() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest_with(scene.grant().max_file_bytes(1 << 20));
        guest.play(
            "
            open x /data/g read-write create size=1048577               -> err limit-exceeded
            open x /data/g read-write create,lock                       -> err eacces
            open x /data/f read-write truncate size=1048577             -> err limit-exceeded
            open x /data/f read-write truncate,lock                     -> err eacces
            open x /data/f read-write - size=18446744073709551615       -> err limit-exceeded
            ",
        );
        assert_eq!(scene.read("f"), b"hello");
        assert_eq!(scene.names(), ["f"]);
        let counters = guest.counters();
        assert!(counters.refused > 0);
        assert_eq!((counters.opened, counters.bytes_read, counters.bytes_written), (0, 0, 0));
        assert_eq!((counters.handles, counters.private_bytes), (0, 0));
        assert_all_returned(&guest.usage());
    });
}

#[test]
fn anything_but_a_regular_file_is_refused_at_once() {
    // A FIFO that blocks must not block the test run.
    in_child(|| {
        on_each_store(|scene| {
            fs::create_dir(scene.path("directory")).unwrap();
            let fifo = std::ffi::CString::new(scene.path("fifo").to_str().unwrap()).unwrap();
            // SAFETY: the path is a C string.
            assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
            let _listener = UnixListener::bind(scene.path("socket")).unwrap();
            let mut builder = scene.grant();
            builder.preopened_dir("/dev", "/dev", FsPerms::ReadWrite).unwrap();
            scene.guest_with(&mut builder).play(
                "
                open x /data read                       -> err enotreg
                open x /data/directory read             -> err enotreg
                open x /data/directory read-write       -> err enotreg
                open x /data/fifo read                  -> err enotreg
                open x /data/fifo write                 -> err enotreg
                open x /data/fifo read-write create     -> err enotreg
                open x /data/socket read                -> err enotreg
                open x /dev/null read                   -> err enotreg
                open x /dev/zero read-write             -> err enotreg
                ",
            );
        });
    });
}

#[test]
fn an_empty_file_is_mapped_and_can_grow() {
    on_each_store(|scene| {
        scene.write("f", "");
        scene.guest().play(
            "
            open r /data/f read                     -> ok
            open m /data/f read-write               -> ok
            position m                              -> ok 0
            pread m 0 0                             -> ok hex:
            pread m 0 1                             -> err out-of-bounds
            pread m 1 0                             -> err out-of-bounds
            pwrite m 0 hex:                         -> ok
            pwrite m 0 hex:00                       -> err out-of-bounds
            pread-many m 0+0,0+0                    -> ok hex:
            sync m sync                             -> ok
            sync-range m 0 0 async                  -> ok
            advise m 0 0 willneed                   -> ok
            truncate m 3                            -> ok
            pwrite m 0 text:abc                     -> ok
            truncate m 0                            -> ok
            position m                              -> ok 0
            truncate m 2                            -> ok
            pread m 0 2                             -> ok hex:0000
            position r                              -> ok 0
            ",
        );
        assert_eq!(scene.read("f"), [0; 2]);
    });
}

#[test]
fn a_mapping_keeps_a_file_that_is_removed_or_replaced() {
    let scene = Scene::new(Kind::Sync);
    scene.write("f", "hello");
    scene.write("g", "other");
    let mut guest = scene.guest();
    guest.play("open m /data/f read-write -> ok");
    fs::rename(scene.path("g"), scene.path("f")).unwrap();
    guest.play("pread m 0 5 -> ok hex:68656c6c6f");
    fs::remove_file(scene.path("f")).unwrap();
    guest.play(
        "
        pwrite m 0 text:J                           -> ok
        truncate m 6                                -> ok
        pread m 0 6                                 -> ok hex:4a656c6c6f00
        close m                                     -> ok
        ",
    );
    assert!(scene.names().is_empty());
}
