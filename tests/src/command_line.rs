//! The program `iommap`, with the sample guests.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The sample guest `quickstart`.
pub const QUICKSTART: &str = env!("GUEST_QUICKSTART");

/// The sample guest `search`.
pub const SEARCH: &str = env!("GUEST_SEARCH");

/// The sample guest `geoip`.
pub const GEOIP: &str = env!("GUEST_GEOIP");

/// The sample guest `kv`.
pub const KV: &str = env!("GUEST_KV");

/// The sample guest `lookup`, which the server in `server/` runs.
pub const LOOKUP: &str = env!("GUEST_LOOKUP");

/// The guest that the tests command.
pub const DRIVER: &str = env!("GUEST_DRIVER");

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
    static PROGRAM: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
        let this = std::env::current_exe().expect("this program's path");
        // target/PROFILE/deps/this
        let profile = this.ancestors().nth(2).expect("a profile's directory");
        let target = profile.parent().expect("a target directory");
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
            .args(["build", "--quiet", "--workspace", "--all-features", "--bin", "iommap"])
            .arg("--target-dir")
            .arg(target)
            .stdin(Stdio::null());
        if profile.file_name() == Some(OsStr::new("release")) {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo");
        assert!(status.success(), "the command line was not built: {status}");
        profile.join("iommap")
    });
    let mut command = Command::new(&*PROGRAM);
    // What a developer has set shall not be in what is compared.
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}
