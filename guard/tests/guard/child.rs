//! Runs the body of a test in a process of its own, so that a crash is a result and not the end
//! of the test run.
//!
//! The child is this very test program, told to run the one test. There the body runs, and the
//! process leaves with [`DONE`]; all other ways to end are seen by the parent. Works the same
//! under `cargo test` and under nextest.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// In the environment: the test whose body is to run here.
const BODY_OF: &str = "IOMMAP_GUARD_CHILD";

/// How a child leaves that came to its body's end. Not 0, which is also what a test program says
/// that found no test of the given name.
const DONE: i32 = 42;

/// Longer than any child should take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Its standard output and standard error.
    pub(crate) said: String,
}

impl Ended {
    /// Fails the test unless the body came to its end.
    #[track_caller]
    pub(crate) fn assert_done(&self) {
        assert_eq!(self.status.code(), Some(DONE), "{}: {}", self.status, self.said);
    }

    /// Fails the test unless the child died of `signal`.
    #[track_caller]
    pub(crate) fn assert_killed_by(&self, signal: i32) {
        assert_eq!(self.status.signal(), Some(signal), "{}: {}", self.status, self.said);
    }

    /// The same, after it said `said`: it got that far.
    #[track_caller]
    pub(crate) fn assert_said_and_killed_by(&self, said: &str, signal: i32) {
        assert!(self.said.contains(said), "{}: {}", self.status, self.said);
        self.assert_killed_by(signal);
    }
}

/// Runs `body`, which must be written out in the test itself, in a child.
pub(crate) fn in_child(body: impl FnOnce()) -> Ended {
    in_child_while(&[], || {}, body)
}

/// The same, with more environment for the child, and `meanwhile` called again and again here as
/// long as it runs.
pub(crate) fn in_child_while<Body: FnOnce()>(
    environment: &[(&str, String)],
    mut meanwhile: impl FnMut(),
    body: Body,
) -> Ended {
    let test = test_of::<Body>();
    if std::env::var(BODY_OF).is_ok_and(|name| name == test) {
        body();
        std::process::exit(DONE);
    }

    let mut child = this_program()
        .args([test, "--exact", "--nocapture"])
        .env(BODY_OF, test)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let in_time = wait(&mut child, &mut meanwhile);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(in_time, "not done after {PATIENCE:?}: {said}");
    Ended { status: output.status, said }
}

/// This test program, to be run once more. What emulates the processor it is for, if anything
/// does, has to be told so: the kernel doesn't know.
fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let Ok(runner) = std::env::var("IOMMAP_TEST_RUNNER") else { return Command::new(program) };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().expect("a runner"));
    command.args(words).arg(program);
    command
}

/// Waits until the child ended or, killing it, until patience did.
fn wait(child: &mut Child, meanwhile: &mut impl FnMut()) -> bool {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            return false;
        }
        meanwhile();
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// The name of the test that a closure is written in, as the test program says it.
///
/// The name of its type is `program::module::test::{{closure}}`. That is not promised; should it
/// change, no test will be found and none will have passed.
fn test_of<Body>() -> &'static str {
    let (_, within) = std::any::type_name::<Body>().split_once("::").unwrap();
    within.strip_suffix("::{{closure}}").unwrap()
}
