//! The program `iommap`, with the sample guests.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// `iommap run OPTIONS.. GUEST ARGS..`, with `directory` granted as `/data`.
pub fn iommap_run<S: AsRef<OsStr>>(
    directory: &Path,
    options: &[S],
    guest: &str,
    args: &[S],
) -> Command {
    let mut grant = directory.as_os_str().to_owned();
    grant.push("::/data");
    let mut command = iommap();
    command.arg("run").arg("--dir").arg(grant).args(options).arg(guest).args(args);
    command
}

/// The program, built if need be.
pub fn iommap() -> Command {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| built(&["--bin", "iommap"], "iommap"));
    program(&PROGRAM)
}

/// One of the examples, built if need be.
pub fn example(name: &str) -> Command {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let programs = ["--bin", "embed", "--bin", "executor", "--bin", "plugins"];
        built(&programs, "embed")
    });
    program(&BUILT.with_file_name(name))
}

fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    // What a developer has set shall not be in what is compared.
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    listen_to_signals(&mut command);
    command
}

/// Whoever runs the tests in the background may have them ignore SIGINT, and their children too.
fn listen_to_signals(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let listen = || {
        // SAFETY: It sets what is done about a signal, and may be called before `exec`.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: It does nothing but that.
    unsafe { command.pre_exec(listen) };
}

/// A command's exit code and what it wrote. No signal ended it.
#[track_caller]
pub fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{}: {}", output.status, text(&output.stderr)));
    (code, text(&output.stdout), text(&output.stderr))
}

/// Builds one target of the workspace, and tells where it is: `place` in the profile's directory.
fn built(target: &[&str], place: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this program's path");
    // target/PROFILE/deps/this
    let profile = this.ancestors().nth(2).expect("a profile's directory");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo test` says about this package is no business of that cargo.
    for (name, _) in std::env::vars_os() {
        let about = |prefix| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if about("CARGO_PKG_") || about("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    // In the directory that cargo starts tests in, which is this package's.
    //
    // With fewer packages or features than `cargo xtask test` has, cargo would choose fewer
    // features of wasmtime, and compile it once more.
    cargo
        .args(["build", "--quiet", "--workspace", "--all-features"])
        .args(target)
        .arg("--target-dir")
        .arg(profile.parent().expect("a target directory"))
        .stdin(Stdio::null());
    if profile.file_name() == Some(OsStr::new("release")) {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo");
    assert!(status.success(), "{place} was not built: {status}");
    profile.join(place)
}
