//! Runs the body of a test in a process of its own, so that a crash is a result and not the end of
//! the test run, and what the body does to its process (limits, user, umask) concerns no other test.
//!
//! The child is this very test program, told to run the one test. There the body runs, and the
//! process leaves with [`DONE`]; all other ways to end are seen by the parent. It works the same under
//! `cargo test` and under nextest.

#[cfg(target_os = "linux")]
mod mounts;
mod posix;

#[cfg(target_os = "linux")]
pub use mounts::own_mounts;
pub use posix::{Lock, Posix, is_free};

use std::any::type_name;
use std::io::{Read, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// In the environment: the test whose body is to run here.
const BODY_OF: &str = "IOMMAP_TEST_CHILD";

/// How a child leaves that came to its body's end. Not 0, which is also what a test program says
/// that found no test of the given name.
pub const DONE: i32 = 42;

/// What a line begins with that a child tells whoever runs the tests, also when all is well.
pub const TOLD: &str = "told: ";

/// Longer than any child should take, on a busy machine too, and where a large guest is compiled.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a child ended.
#[derive(Debug)]
#[must_use = "a child that crashed says so here"]
pub struct Ended {
    /// How it left.
    pub status: ExitStatus,
    /// Its standard output and standard error.
    pub said: String,
}

impl Ended {
    /// Fails the test unless the body came to its end.
    #[track_caller]
    pub fn assert_done(&self) {
        assert_eq!(self.status.code(), Some(DONE), "{}: {}", self.status, self.said);
    }

    /// Fails the test unless the child died of `signal`.
    #[track_caller]
    pub fn assert_killed_by(&self, signal: i32) {
        assert_eq!(self.status.signal(), Some(signal), "{}: {}", self.status, self.said);
    }

    /// The same, after it said `said`: it got that far.
    #[track_caller]
    pub fn assert_said_and_killed_by(&self, said: &str, signal: i32) {
        assert!(self.said.contains(said), "{}: {}", self.status, self.said);
        self.assert_killed_by(signal);
    }
}

/// Runs `body`, which must be written out in the test itself, in a child.
#[track_caller]
pub fn in_child<Body: FnOnce()>(body: Body) -> Ended {
    in_child_while(|command| command, || (), body)
}

/// The same. The child is started by a command that may be prepared, or wrapped in another one that
/// takes the arguments which are added to it; `meanwhile` is called here again and again as long as it
/// runs.
#[track_caller]
pub fn in_child_while<Body: FnOnce()>(
    prepare: impl FnOnce(Command) -> Command,
    meanwhile: impl FnMut(),
    body: Body,
) -> Ended {
    run(test_of::<Body>(), prepare, meanwhile, body)
}

/// The same for the test of this name.
#[track_caller]
pub fn run(
    test: &str,
    prepare: impl FnOnce(Command) -> Command,
    mut meanwhile: impl FnMut(),
    body: impl FnOnce(),
) -> Ended {
    if is_child(test) {
        // Away from the line that the test program has begun.
        println!();
        body();
        std::process::exit(DONE);
    }
    // What a crashed child leaves behind goes with this.
    let scratch = TempDir::new().expect("a directory");
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut command = prepare(this_program());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(BODY_OF, test)
        .env("TMPDIR", scratch.path())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a descriptor"))
        .stderr(writer);
    let mut child = command.spawn().expect("a child");
    // It has ends of the pipe too.
    drop(command);
    let (all, output) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        _ = reader.read_to_end(&mut said);
        all.send(String::from_utf8_lossy(&said).into_owned())
    });
    let start = Instant::now();
    let mut hangs = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child's status") {
            break status;
        }
        if start.elapsed() > PATIENCE && !hangs {
            hangs = true;
            child.kill().expect("an end to the child");
        }
        meanwhile();
        std::thread::sleep(Duration::from_millis(1));
    };
    let said = output.recv_timeout(PATIENCE).expect("nobody else has the pipe");
    assert!(!hangs, "{test}: not done after {PATIENCE:?}: {said}");
    for line in said.lines() {
        if line.starts_with("skipped") {
            println!("{line}");
        } else if let Some(line) = line.strip_prefix(TOLD) {
            // Past what the test program keeps to itself of tests that pass.
            _ = writeln!(std::io::stderr(), "{line}");
        }
    }
    Ended { status, said }
}

/// This test program, to be run once more. What emulates the processor it is for, if anything does,
/// has to be told so: the kernel doesn't know.
pub fn this_program() -> Command {
    let program = std::env::current_exe().expect("this program's path");
    let Ok(runner) = std::env::var("IOMMAP_TEST_RUNNER") else { return Command::new(program) };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().expect("a runner"));
    command.args(words).arg(program);
    command
}

/// The name of the test that a closure is written in, as the test program says it.
///
/// The name of its type is `program::module::test::{{closure}}`. That is not promised; should it
/// change, no test will be found and none will have passed.
pub fn test_of<Closure>() -> &'static str {
    let (_, within) = type_name::<Closure>().split_once("::").expect("a program's closure");
    within.split("::{{closure}}").next().unwrap_or(within)
}

/// The name of the test that calls this, with a closure of its own.
pub fn this_test<Closure: FnOnce()>(_: Closure) -> &'static str {
    test_of::<Closure>()
}

/// Is this the process that runs the body of this test?
pub fn is_child(test: &str) -> bool {
    std::env::var_os(BODY_OF).is_some_and(|child| child == *test)
}
