//! File systems that a test has for itself, mounted where nobody else sees them.

use super::user::succeeded;
use iommap_child::{is_child, own_mounts, run, test_of};
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Where the file system is, in the environment of the process that sees it.
const DISK: &str = "IOMMAP_TEST_DISK";

/// Runs a body in a process of its own, with a small tmpfs.
#[track_caller]
pub(crate) fn on_small_disk<F: FnOnce(&Path)>(bytes: u64, body: F) {
    on_disk::<F>(
        "a tmpfs",
        |place| {
            let mut command = Command::new("true");
            mount_in(&mut command, place, bytes);
            command.status().is_ok_and(|status| status.success())
        },
        |mut command, place| {
            mount_in(&mut command, place, bytes);
            command
        },
        body,
    );
}

/// Runs a body in a process of its own, with an ext4 of 24 MiB in a file.
#[track_caller]
pub(crate) fn on_ext4<F: FnOnce(&Path)>(body: F) {
    let script =
        "truncate -s 24M image && mkfs.ext4 -q -F -m 0 image && mount -o loop image \"$0\"";
    on_mount("an ext4", script, body);
}

/// Runs a body in a process of its own, with an ext4 that claims to be larger than what it is kept
/// on: to write more than a few MiB fails, until [`mend_disk`].
#[track_caller]
pub(crate) fn on_failing_disk<F: FnOnce(&Path)>(body: F) {
    let script = "mkdir back && mount -t tmpfs -o size=6M tmpfs back && \
        truncate -s 64M back/image && mkfs.ext4 -q -F -m 0 -O ^has_journal back/image && \
        mount -o loop back/image \"$0\"";
    on_mount("a disk that fails", script, body);
}

/// Gives a failing disk all the room that it claims to have.
pub(crate) fn mend_disk() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut places = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    let back = places.rfind(|place| place.ends_with("/back")).unwrap();
    let more = ["-o", "remount,size=80M", back];
    assert!(Command::new("mount").args(more).status().unwrap().success());
}

/// Runs a body in a process of its own, with what a shell script mounts at `$0`. The script runs in
/// an empty directory and in a mount namespace of its own: the mount, and a loop device with it,
/// goes with the last process that sees it.
#[track_caller]
pub(crate) fn on_mount<F: FnOnce(&Path)>(what: &str, script: &str, body: F) {
    let backing = TempDir::new().unwrap();
    let mounted = |place: &Path, rest: &str| {
        let mut command = Command::new("unshare");
        let script = format!("cd \"$1\" && shift && {script} && cd / && {rest}");
        command.args(["--mount", "sh", "-c", &script]).args([place, backing.path()]);
        command
    };
    on_disk::<F>(
        what,
        |place| {
            let tried = mounted(place, "true").stderr(Stdio::null()).status();
            // What it has made there is in the way of the second time.
            for entry in fs::read_dir(backing.path()).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                    .unwrap();
            }
            tried.is_ok_and(|status| status.success())
        },
        |program, place| {
            let mut command = mounted(place, "exec \"$@\"");
            command.arg(program.get_program()).args(program.get_args());
            command
        },
        body,
    );
}

#[track_caller]
fn on_disk<F: FnOnce(&Path)>(
    what: &str,
    try_it: impl FnOnce(&Path) -> bool,
    mount: impl FnOnce(Command, &Path) -> Command,
    body: F,
) {
    let name = test_of::<F>();
    let in_child = || body(&std::env::var_os(DISK).map(PathBuf::from).unwrap());
    if is_child(name) {
        return run(name, |command| command, || (), in_child).assert_done();
    }
    let place = TempDir::new().unwrap();
    if !try_it(place.path()) {
        println!("skipped: {what} can't be mounted here: {name}");
        return;
    }
    let prepare = |command| {
        let mut command = mount(command, place.path());
        command.env(DISK, place.path());
        command
    };
    run(name, prepare, || (), in_child).assert_done();
}

/// Makes a command start in a mount namespace of its own with a tmpfs at `target`; without root
/// in a user namespace too.
fn mount_in(command: &mut Command, target: &Path, bytes: u64) {
    let target = CString::new(target.as_os_str().as_bytes()).unwrap();
    let size = CString::new(format!("size={bytes},mode=0777")).unwrap();
    let enter = move || {
        own_mounts()?;
        let tmpfs = c"tmpfs".as_ptr();
        // SAFETY: all pointers are C strings.
        succeeded(unsafe { libc::mount(tmpfs, target.as_ptr(), tmpfs, 0, size.as_ptr().cast()) })
    };
    // SAFETY: the closure makes system calls only and allocates nothing.
    unsafe { command.pre_exec(enter) };
}
