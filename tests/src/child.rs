//! Runs the body of a test in a process of its own, so that a crash is a result and not the end
//! of the test run.
//!
//! The child is this very test program, told to run the one test. There the body runs, and the
//! process leaves with [`DONE`]; every other way to end fails the test.

use crate::group::Group;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// In the environment: the test whose body is to run here.
const BODY_OF: &str = "IOMMAP_TEST_CHILD";

/// How a child leaves that came to its body's end. Not 0, which is also what a test program says
/// that found no test of the given name.
pub const DONE: i32 = 42;

/// Longer than any child should take, on a busy machine too, and where a large guest is compiled.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs `body`, which must be written out in the test itself, in a child, and fails the test
/// unless it came to its end there.
#[track_caller]
pub fn in_child<Body: FnOnce()>(body: Body) {
    run(body, |_| ());
}

/// The same in a process with mounts of its own, as root of a user namespace if it is not root. The
/// kernel may refuse either; then a mount fails later on.
#[track_caller]
pub fn in_namespace<Body: FnOnce()>(body: Body) {
    run(body, |child| {
        // SAFETY: system calls and memory of its own stack only.
        unsafe {
            child.pre_exec(|| {
                crate::fuse::own_mounts();
                Ok(())
            });
        }
    });
}

/// The same in a process, and its children, that have only so many bytes of memory. Without a
/// control group of its own it says so, and nothing is run.
#[track_caller]
pub fn in_group<Body: FnOnce()>(memory: u64, body: Body) {
    if std::env::var_os(BODY_OF).is_some() {
        return run(body, |_| ());
    }
    let group = match Group::new(memory) {
        Ok(group) => group,
        Err(why) => return eprintln!("skipped: no control group: {why}"),
    };
    run(body, |child| {
        let procs = group.procs();
        // SAFETY: system calls only.
        unsafe {
            child.pre_exec(move || {
                let fd = libc::open(procs.as_ptr(), libc::O_WRONLY);
                let written = libc::write(fd, b"0".as_ptr().cast(), 1);
                libc::close(fd);
                if written == 1 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
    });
}

#[track_caller]
fn run<Body: FnOnce()>(body: Body, prepare: impl FnOnce(&mut Command)) {
    let test = test_of::<Body>();
    if std::env::var(BODY_OF).is_ok_and(|name| name == test) {
        body();
        std::process::exit(DONE);
    }
    let mut child = Command::new(std::env::current_exe().expect("this program's path"));
    child
        .args([test, "--exact", "--nocapture"])
        .env(BODY_OF, test)
        .env(iommap_artifacts::GUESTS, iommap_artifacts::components())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    prepare(&mut child);
    let mut child = child.spawn().expect("a child");
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("the child's status") {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().expect("an end to the child");
                panic!("not done after {PATIENCE:?}");
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // Its panic, if it had one, is on our standard error.
    assert_eq!(status.code(), Some(DONE), "the child ended with {status}");
}

/// The name of the test that a closure is written in.
///
/// The name of its type is `program::module::test::{{closure}}`. That is not promised; should it
/// change, no test will be found and none will have passed.
fn test_of<Body>() -> &'static str {
    let (_, path) = std::any::type_name::<Body>().split_once("::").expect("a program's closure");
    path.split("::{{closure}}").next().unwrap_or(path)
}
