//! `iommap run` that is to end while its guest maps files: by its time limit, by a signal.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use iommap_artifacts::guest;
use iommap_tests::child::in_namespace;
use iommap_tests::command_line::iommap_run;
use iommap_tests::fuse::{Fuse, Request};
use iommap_tests::{Kind, Scene};

/// `search`, which has said how far it has come: behind its first window.
fn search(directory: &Path, options: &[&str], args: &[&str]) -> Child {
    let args = [&["--window", "64K"], args].concat();
    let mut command = iommap_run(directory, options, guest("search"), &args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// How a program ends, and what it has said. The test fails rather than to wait without an end.
fn end(mut child: Child) -> (Option<i32>, String) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > give_up {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: It has no pointers, and the process is a child that nobody has waited for.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
}

#[test]
fn a_guest_between_its_reads_is_ended_by_a_signal_and_told_in_numbers() {
    let scene = Scene::new(Kind::Sync);
    scene.write("log", vec![b'.'; 1 << 20]);
    for (number, expected) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let mut child = search(scene.directory(), &["--stats"], &["--step", "x", "/data/log"]);
        // It has read its first window, and waits for a line of input.
        // Held, or else its end would be the line's.
        let input = child.stdin.take();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        // Kept open: to wait for a child closes it.
        let _input = child.stdin.take();
        let mut line = String::new();
        messages.read_line(&mut line).unwrap();
        assert!(line.contains("Enter goes on"), "{line}");
        signal(&child, number);
        assert_eq!(child.wait().unwrap().code(), Some(expected));
        drop(input);
        let rest = std::io::read_to_string(messages).unwrap();
        assert!(rest.contains("mappings opened   1") && rest.contains("64.0 KiB"), "{rest}");
    }
}

#[test]
fn a_guest_that_reads_all_the_time_is_ended_by_a_signal() {
    let scene = Scene::new(Kind::Sync);
    // So long that no machine has read it before it is told to stop: it is one hole.
    std::fs::File::create(scene.path("log")).unwrap().set_len(60 << 30).unwrap();
    for (options, number, expected) in [
        (&["--stats"][..], libc::SIGTERM, 143),
        (&["--stats", "--timeout", "1h"], libc::SIGINT, 130),
    ] {
        let child = search(scene.directory(), options, &["x", "/data/log"]);
        reads_now(&child, &scene.path("log"));
        signal(&child, number);
        let (code, said) = end(child);
        assert_eq!(code, Some(expected), "{said}");
        assert!(said.contains("mappings opened   1"), "{said}");
    }
}

#[test]
fn a_guest_that_waits_for_a_hung_file_system_is_ended_all_the_same() {
    in_namespace(|| {
        let mut fuse = match Fuse::mount(1 << 20) {
            Ok(fuse) => fuse,
            Err(why) => return eprintln!("skipped: no file system that hangs: {why}"),
        };
        fuse.hold(Request::Read);
        let child = search(fuse.directory(), &["--stats", "--timeout", "1s"], &["x", "/data/f"]);
        let (code, said) = end(child);
        fuse.wait_for_one();
        fuse.release();
        assert_eq!(code, Some(124), "{said}");
        assert!(said.contains("mappings opened   1"), "{said}");

        for options in [&["--stats"][..], &["--stats", "--timeout", "1h"]] {
            for (number, expected) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
                fuse.hold(Request::Read);
                let child = search(fuse.directory(), options, &["x", "/data/f"]);
                fuse.wait_for_one();
                signal(&child, number);
                let (code, said) = end(child);
                fuse.release();
                assert_eq!(code, Some(expected), "{options:?}: {said}");
                assert!(said.contains("mappings opened   1"), "{said}");
            }
        }
    });
}

#[test]
fn a_guest_that_waits_for_an_open_is_ended_when_that_is_answered() {
    in_namespace(|| {
        let mut fuse = match Fuse::mount(1 << 20) {
            Ok(fuse) => fuse,
            Err(why) => return eprintln!("skipped: no file system that hangs: {why}"),
        };
        fuse.hold(Request::Open);
        let mut child = search(fuse.directory(), &["--timeout", "1s"], &["x", "/data/f"]);
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        messages.read_line(&mut line).unwrap();
        assert!(line.contains("was ended after 1s"), "{line}");
        // It has done all it can. Linux keeps a thread that a FUSE server owes an answer, even where
        // the process is killed.
        fuse.wait_for_one();
        fuse.release();
        assert_eq!(end(child).0, Some(124));
    });
}

/// Waits until a process has mapped a file.
fn reads_now(child: &Child, file: &Path) {
    let maps = format!("/proc/{}/maps", child.id());
    let file = file.to_str().unwrap();
    while !std::fs::read_to_string(&maps).unwrap().contains(file) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
