//! `open`: paths, and kinds of files. Modes, options and sizes are cases in `tests/conformance/cases.txt`,
//! which guests in every language are held to.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use iommap::{FsPerms, IommapCtx};
use iommap_tests::child::in_child;
use iommap_tests::scene::{Scene, on_each_store};

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
fn names_and_paths_too_long_are_badarg() {
    on_each_store(|scene| {
        scene.write("f", "hello");
        let mut guest = scene.guest();
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
