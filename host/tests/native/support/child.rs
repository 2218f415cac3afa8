//! A test's body in a process of its own.

use super::PATIENCE;
use std::any::type_name;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use tempfile::TempDir;

const CHILD: &str = "IOMMAP_TEST_CHILD";
const CHILD_ENDED: &str = "the child came to its end";

/// Runs the body of a test in a process of its own: a crash is a failed test, and what the body
/// does to the process (limits, user, umask) concerns no other test. To be called by a test
/// function with a closure of its own.
#[track_caller]
pub(crate) fn in_child<F: FnOnce()>(body: F) {
    child::<F>(|command| command, body);
}

/// Runs a body in a process of its own, started by a command that may be prepared, or wrapped in
/// another one that takes the arguments which are added to it.
#[track_caller]
pub(super) fn child<F>(prepare: impl FnOnce(Command) -> Command, body: impl FnOnce()) {
    let name = test_name::<F>();
    if is_child(&name) {
        // Away from the line that libtest has begun.
        println!();
        body();
        println!("{CHILD_ENDED}");
        return;
    }
    // What a crashed child leaves behind goes with this.
    let scratch = TempDir::new().unwrap();
    let mut command = prepare(this_program());
    command
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(CHILD, &name)
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = result.recv_timeout(PATIENCE) else {
        // SAFETY: kill has no preconditions; the child has not been waited for, so the id is its.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
        panic!("{name}: the child hangs");
    };
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains(CHILD_ENDED),
        "{name}: child: {} (signal {:?})\n{said}\n{complained}",
        output.status,
        output.status.signal(),
    );
    for line in said.lines().filter(|line| line.starts_with("skipped")) {
        println!("{line}");
    }
}

/// This test program, to be run once more. What emulates its processor, if anything does, has to
/// be told so: the kernel doesn't know.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let Ok(runner) = std::env::var("IOMMAP_TEST_RUNNER") else { return Command::new(program) };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().expect("a runner"));
    command.args(words).arg(program);
    command
}

/// The name of the test that calls this, with a closure of its own.
pub(crate) fn this_test<F: FnOnce()>(_: F) -> String {
    test_name::<F>()
}

/// The name of the test whose closure this is: `binary::module::test::{{closure}}`.
pub(super) fn test_name<F>() -> String {
    let name = type_name::<F>();
    let name = name.split_once("::").expect("a closure in a test").1;
    name.split("::{{closure}}").next().unwrap().to_owned()
}

/// Is this the process that runs the body of this test?
pub(super) fn is_child(name: &str) -> bool {
    std::env::var_os(CHILD).is_some_and(|child| child == *name)
}
