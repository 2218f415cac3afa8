//! Runs the body of a test in a process of its own, which is told where the guests are.

use crate::group::Group;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[cfg(target_os = "linux")]
pub use iommap_child::forbid;
pub use iommap_child::{DONE, TOLD};

/// Runs `body`, which must be written out in the test itself, in a child, and fails the test
/// unless it came to its end there.
#[track_caller]
pub fn in_child<Body: FnOnce()>(body: Body) {
    run(body, |_| ());
}

/// The same in a process with mounts of its own, as root of a user namespace if it is not root. The
/// kernel may refuse either; then a mount fails later on.
#[cfg(target_os = "linux")]
#[track_caller]
pub fn in_namespace<Body: FnOnce()>(body: Body) {
    run(body, |child| {
        // SAFETY: it may be called there.
        unsafe {
            child.pre_exec(|| {
                _ = iommap_child::own_mounts();
                Ok(())
            });
        }
    });
}

/// The same in a process, and its children, that have only so many bytes of memory. Without a
/// control group of its own it says so, and nothing is run.
#[track_caller]
pub fn in_group<Body: FnOnce()>(memory: u64, body: Body) {
    if iommap_child::is_child(iommap_child::test_of::<Body>()) {
        return run(body, |_| ());
    }
    let group = match Group::new(memory) {
        Ok(group) => group,
        Err(why) => return println!("skipped: no control group: {why}"),
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
    let prepare = |mut child: Command| {
        child.env(iommap_artifacts::GUESTS, iommap_artifacts::components());
        prepare(&mut child);
        child
    };
    iommap_child::in_child_while(prepare, || (), body).assert_done();
}
