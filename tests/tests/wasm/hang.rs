//! `iommap run --timeout` on a file system that hangs: it ends all the same.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use iommap_artifacts::guest;
use iommap_tests::child::in_namespace;
use iommap_tests::command_line::iommap_run;
use iommap_tests::fuse::{Fuse, Request};

/// What `timeout(1)` says, and `iommap run`.
const TIMEOUT: i32 = 124;

/// More than one byte a page, so that a search has to come to the page.
const LENGTH: usize = 1 << 20;

/// Runs a command to its end, with what it writes thrown away.
fn ends(command: &mut Command) -> ExitStatus {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child: Child = child.expect("the program");
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        match child.try_wait().expect("its status") {
            Some(status) => return status,
            None if Instant::now() > patience => {
                child.kill().expect("an end to it");
                panic!("it hangs");
            }
            None => sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn a_guest_on_a_file_that_hangs_ends_at_its_timeout() {
    in_namespace(|| {
        let mut fuse = match Fuse::mount(LENGTH) {
            Ok(fuse) => fuse,
            Err(why) => return eprintln!("skipped: no file system that hangs: {why}"),
        };
        let directory = fuse.directory().to_owned();
        let run = |timeout, name, args: &[&str]| {
            ends(&mut iommap_run(&directory, &["--timeout", timeout], guest(name), args))
        };
        // It works, as long as the file system does.
        assert_eq!(run("60", "search", &["-c", "needle", "/data/f"]).code(), Some(1));
        // Only a page that is waited for: who waits for an answer to `open` can't even be killed.
        for (name, args) in [
            ("search", &["needle", "/data/f"][..]),
            // From the file's end.
            ("last", &["-n", "1", "/data/f"]),
        ] {
            fuse.hold(Request::Read);
            assert_eq!(run("1", name, args).code(), Some(TIMEOUT), "{args:?}");
            fuse.wait_for_one();
            fuse.release();
        }
    });
}
