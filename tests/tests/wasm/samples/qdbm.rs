//! QDBM as Debian has it, on our mmap(2): its program `dpmgr` writes to a database by a map that is
//! shared. Held to the same program as this machine's compiler makes it, byte for byte.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::WINDOWS;
use super::c_program::{Programs, said};
use fastrand::Rng;
use iommap_tests::{Kind, Scene};

/// Windows that are written to: two databases are open while one is made anew.
const WRITABLE: [&str; 6] = [
    "--limit",
    "windows=2",
    "--limit",
    "window-bytes=64M",
    "--windows-on-changing-files",
    "--writable-windows",
];

/// Records as `dpmgr importdb` reads them: two lengths in hexadecimal, a key and a value.
fn records(count: usize) -> String {
    let mut random = Rng::with_seed(20_261_127);
    let mut list = String::new();
    for k in 0..count {
        let value: String = (0..random.usize(..200)).map(|_| random.alphanumeric()).collect();
        let key = format!("key {k}");
        write!(list, "{:X}\n{:X}\n{key}\n{value}\n", key.len(), value.len()).unwrap();
    }
    list
}

#[test]
fn qdbm_unmodified_writes_by_its_map_as_it_does_natively() {
    let Some(programs) = Programs::find("qdbm") else { return };
    let scene = Scene::new(Kind::Sync);
    let dir = scene.directory();
    scene.write("records", records(2_000));
    // Each makes and changes a database of its own, and the two are the same after each step.
    for step in [
        &["importdb", "-bnum", "100000", "db", "records"][..],
        &["put", "db", "key 7", "another value, which is longer than any was before"],
        &["put", "db", "new", "value"],
        &["put", "-cat", "db", "new", " and more"],
        &["out", "db", "key 100"],
        &["optimize", "-bnum", "3000", "db"],
        &["repair", "db"],
        &["out", "db", "key 100"],
    ] {
        let in_each = |who: &str| -> Vec<String> {
            let own =
                |arg: &&str| if *arg == "db" { format!("{who}.db") } else { (*arg).to_owned() };
            step.iter().map(own).collect()
        };
        let run = |who: &str| {
            let args = in_each(who);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let (code, out, _) = said(&mut match who {
                "guest" => programs.guest(dir, &WRITABLE, &args),
                _ => programs.native(dir, &args),
            });
            (code, out)
        };
        assert_eq!(run("guest"), run("native"), "{step:?}");
        assert!(scene.read("guest.db") == scene.read("native.db"), "after {step:?}");
    }
    // What the one has written the other reads, and where there are no windows it is a copy.
    for options in [&WRITABLE[..], &WINDOWS, &WINDOWS[..4], &[]] {
        for args in [&["list", "native.db"][..], &["get", "native.db", "new"]] {
            let guest = said(&mut programs.guest(dir, options, args));
            let native = said(&mut programs.native(dir, args));
            assert_eq!(
                (guest.0, native.0),
                (Some(0), Some(0)),
                "{options:?} {args:?}: {}",
                guest.2
            );
            assert!(guest.1 == native.1 && native.1.len() > 10, "{options:?} {args:?}");
        }
    }
    let listed = said(&mut programs.native(dir, &["list", "guest.db"])).1;
    assert_eq!(listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 2_000);
}

#[test]
fn qdbm_changes_nothing_where_windows_are_not_for_writing() {
    let Some(programs) = Programs::find("qdbm") else { return };
    let scene = Scene::new(Kind::Sync);
    let dir = scene.directory();
    assert_eq!(said(&mut programs.native(dir, &["create", "db"])).0, Some(0));
    assert_eq!(said(&mut programs.native(dir, &["put", "db", "one", "1"])).0, Some(0));
    let before = scene.read("db");
    for options in [&WINDOWS[..], &WINDOWS[..4], &WRITABLE[4..], &[]] {
        let (code, out, err) = said(&mut programs.guest(dir, options, &["put", "db", "one", "2"]));
        assert_eq!((code, &*out), (Some(1), &b""[..]), "{options:?}: {err}");
        assert!(err.contains("db: memory mapping error"), "{options:?}: {err}");
        assert!(scene.read("db") == before, "{options:?}");
    }
}

/// Imports many records, and has the database cut to nothing under it until the program ends.
fn cut_while_it_writes(scene: &Scene, start: impl Fn() -> Child) -> Output {
    // Whoever is slow finds it at its end already.
    for _ in 0..20 {
        let _ = std::fs::remove_file(scene.path("db"));
        let mut run = start();
        let mut cut = false;
        while run.try_wait().unwrap().is_none() {
            let length = scene.path("db").metadata().map_or(0, |file| file.len());
            if cut || length > HEADER {
                scene.cut("db", 0);
                cut = true;
            } else {
                sleep(Duration::from_millis(1));
            }
        }
        if cut {
            return run.wait_with_output().unwrap();
        }
    }
    panic!("it was never seen at work");
}

/// More than what a new database has before its first record: a number for each of 1,000 buckets.
const HEADER: u64 = 10_000;

#[test]
fn a_database_cut_while_qdbm_writes_kills_it_natively_only() {
    let Some(programs) = Programs::find("qdbm") else { return };
    let scene = Scene::new(Kind::Sync);
    let dir: &Path = scene.directory();
    let args = ["importdb", "-bnum", "1000", "db", "records"];
    for guest in [false, true] {
        // A call to the host takes longer than one to the system.
        scene.write("records", records(if guest { 20_000 } else { 200_000 }));
        let output = cut_while_it_writes(&scene, || {
            let mut run = match guest {
                true => programs.guest(dir, &WRITABLE, &args),
                false => programs.native(dir, &args),
            };
            run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        });
        let (status, err) = (output.status, String::from_utf8_lossy(&output.stderr));
        if guest {
            // What it says itself, and if it takes all to be well, what the host says.
            assert!([Some(1), Some(135)].contains(&status.code()), "{status}: {err}");
            assert!(err.contains("iommap: lost pages in windows: "), "{status}: {err}");
        } else {
            assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}: {err}");
        }
    }
}
