//! `last` follows a file, as people start it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use iommap_artifacts::guest;
use iommap_tests::command_line::{iommap_run, said};
use iommap_tests::{Kind, Scene};

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn last_follows_a_file_and_the_one_that_takes_its_place() {
    let scene = Scene::new(Kind::Sync);
    scene.write("log", "one\ntwo\n");
    let args = ["-F", "-n", "1", "/data/log"];
    let mut run = iommap_run(scene.directory(), &["--limit", "watches=1"], guest("last"), &args);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut words = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    let mut said = || words.next().unwrap().unwrap();
    let append = |text: &str| {
        let mut log = File::options().append(true).open(scene.path("log")).unwrap();
        log.write_all(text.as_bytes()).unwrap();
    };
    assert_eq!(line(), "two");
    append("three\n");
    assert_eq!(line(), "three");
    scene.write("new", "four\n");
    fs::rename(scene.path("new"), scene.path("log")).unwrap();
    assert_eq!(said(), "last: /data/log: another file has taken its place");
    assert_eq!(line(), "four");
    scene.cut("log", 0);
    assert_eq!(said(), "last: /data/log: it was cut short");
    append("five\n");
    assert_eq!(line(), "five");
    fs::remove_file(scene.path("log")).unwrap();
    assert_eq!(said(), "last: /data/log: it is gone, and waited for");
    scene.write("log", "six\n");
    assert_eq!(said(), "last: /data/log: another file has taken its place");
    // Made first and written to then, it may have been mapped in between.
    assert_eq!(line(), "six");
}

#[test]
fn last_loses_no_line_of_a_file_that_another_replaces() {
    let scene = Scene::new(Kind::Sync);
    scene.write("log", "one\n");
    let args = ["-F", "/data/log"];
    let mut run = iommap_run(scene.directory(), &["--limit", "watches=1"], guest("last"), &args);
    let child = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    assert_eq!(line(), "one");
    let signal = |number| {
        // SAFETY: a child of this process, which has not been waited for.
        assert_eq!(unsafe { libc::kill(running.0.id() as i32, number) }, 0);
    };
    for round in 0..3 {
        // It sees both at once.
        signal(libc::SIGSTOP);
        let mut log = File::options().append(true).open(scene.path("log")).unwrap();
        write!(log, "added {round}\nand more\n").unwrap();
        scene.write("new", format!("new {round}\n"));
        fs::rename(scene.path("new"), scene.path("log")).unwrap();
        signal(libc::SIGCONT);
        assert_eq!(line(), format!("added {round}"));
        assert_eq!(line(), "and more");
        assert_eq!(line(), format!("new {round}"));
        // And it sees that it was cut short and written to again before that.
        signal(libc::SIGSTOP);
        scene.cut("log", 0);
        let mut log = File::options().append(true).open(scene.path("log")).unwrap();
        writeln!(log, "cut").unwrap();
        scene.write("new", format!("then {round}\n"));
        fs::rename(scene.path("new"), scene.path("log")).unwrap();
        signal(libc::SIGCONT);
        assert_eq!(line(), "cut");
        assert_eq!(line(), format!("then {round}"));
    }
}

#[test]
fn last_says_that_the_host_does_not_tell_of_changes() {
    let scene = Scene::new(Kind::Sync);
    scene.write("log", "one\n");
    let args = ["-F", "/data/log"];
    let output = iommap_run(scene.directory(), &[], guest("last"), &args).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, out.as_str()), (1, "one\n"), "{err}");
    assert!(err.contains("cannot tell what has become of /data/log"), "{err}");
}
