//! A compiler that can build guests: one with a standard library for wasm32-wasip2.
//!
//! rustup's, where the target is installed or can be. Else, on Debian, one made from Debian's
//! packages, with the recipe in `debian.rs`. Nothing is installed for that and nothing in the
//! clone changes: it is kept in the user's cache directory and found there by every clone.

use crate::workspace::{cargo, output, root, say};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What guests are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// How long rustup may take to install the target before we go on without it.
const RUSTUP_PATIENCE: Duration = Duration::from_secs(120);

/// A compiler that can build guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasmToolchain {
    rustc: Option<PathBuf>,
    identity: String,
}

impl WasmToolchain {
    /// What to set `RUSTC` to, or nothing if the active toolchain itself can do it.
    pub fn rustc(&self) -> Option<&Path> {
        self.rustc.as_deref()
    }

    /// Differs from that of every other toolchain: what one built, another can't link.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// One that is being made.
    #[cfg(unix)]
    pub(crate) fn made_of(rustc: PathBuf) -> WasmToolchain {
        WasmToolchain { rustc: Some(rustc), identity: String::new() }
    }

    /// A cargo that builds guests with this compiler, undisturbed by a cargo that runs us.
    pub fn cargo(&self) -> Command {
        let mut cargo = undisturbed_cargo();
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        cargo
    }
}

/// A cargo for a workspace of its own, undisturbed by a cargo that runs us.
pub(crate) fn undisturbed_cargo() -> Command {
    let mut cargo = cargo();
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(disturbs_a_build) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether cargo sets a variable for build scripts, or takes it as a setting, and an inner cargo
/// that builds for another machine must not see it.
fn disturbs_a_build(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_ENCODED_RUSTDOCFLAGS",
        "CARGO_TARGET_DIR",
        "CLIPPY_ARGS",
        "OUT_DIR",
        "TARGET",
        "HOST",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
    ];
    const PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PROFILE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Finds a toolchain that is there already. Builds and downloads nothing.
pub fn find() -> Result<Option<WasmToolchain>> {
    look(&Active::ask()?)
}

/// Finds a toolchain, or sets one up: a minute or two, once.
pub fn ensure() -> Result<WasmToolchain> {
    let active = Active::ask()?;
    if let Some(toolchain) = look(&active)? {
        return Ok(toolchain);
    }
    if ask_rustup() {
        let active = Active::ask()?;
        if active.has_target() {
            return Ok(active.toolchain());
        }
    }
    set_up(&active)
}

fn look(active: &Active) -> Result<Option<WasmToolchain>> {
    if active.has_target() {
        return Ok(Some(active.toolchain()));
    }
    #[cfg(unix)]
    if let Some(found) = crate::debian::find(active)? {
        return Ok(Some(WasmToolchain { rustc: Some(found.rustc), identity: found.identity }));
    }
    Ok(None)
}

#[cfg(unix)]
fn set_up(active: &Active) -> Result<WasmToolchain> {
    if !crate::debian::is_debian() {
        bail!(no_target(active));
    }
    let built = crate::debian::build(active).with_context(|| {
        format!(
            "cannot make a standard library for {TARGET} from Debian's packages; where rustup may \
             download, `rustup target add {TARGET}` does as well"
        )
    })?;
    Ok(WasmToolchain { rustc: Some(built.rustc), identity: built.identity })
}

#[cfg(not(unix))]
fn set_up(active: &Active) -> Result<WasmToolchain> {
    bail!(no_target(active))
}

fn no_target(active: &Active) -> String {
    format!(
        "{} has no standard library for {TARGET}, which guests are built for.\n\
         Run: rustup target add {TARGET}",
        active.version
    )
}

/// The toolchain that `rust-toolchain.toml` picks.
pub(crate) struct Active {
    /// The first line of `rustc -vV`.
    pub(crate) version: String,
    pub(crate) release: String,
    pub(crate) host: String,
    pub(crate) sysroot: PathBuf,
    libdir: PathBuf,
}

impl Active {
    pub(crate) fn ask() -> Result<Active> {
        let rustc = || {
            let mut rustc = Command::new("rustc");
            rustc.current_dir(root());
            rustc
        };
        let about = output(rustc().arg("-vV"))
            .context("rustc does not run: is Rust installed? See https://rustup.rs")?;
        let where_ = output(
            rustc()
                .args(["--print", "sysroot", "--print", "target-libdir", "--target"])
                .arg(TARGET),
        )?;
        let mut active = Active::parse(&about, &where_)
            .with_context(|| format!("what is this rustc?\n{about}"))?;
        // One toolchain may have two names; it shall have one set-up.
        active.sysroot = active.sysroot.canonicalize().context("rustc's sysroot")?;
        Ok(active)
    }

    pub(crate) fn parse(about: &str, where_: &str) -> Option<Active> {
        let field = |name| {
            about.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().to_owned())
        };
        let mut dirs = where_.lines().map(PathBuf::from);
        Some(Active {
            version: about.lines().next()?.to_owned(),
            release: field("release:")?,
            host: field("host:")?,
            sysroot: dirs.next()?,
            libdir: dirs.next()?,
        })
    }

    fn has_target(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.libdir) else { return false };
        entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_std))
    }

    fn toolchain(&self) -> WasmToolchain {
        WasmToolchain { rustc: None, identity: format!("{}, its own {TARGET}", self.version) }
    }
}

fn is_std(name: &str) -> bool {
    name.starts_with("libstd-") && name.ends_with(".rlib")
}

/// Has rustup install the target, where there is a rustup and it may. Tells whether it did.
fn ask_rustup() -> bool {
    if env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0") {
        return false;
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(root()).args(["target", "add", TARGET]);
    rustup.env("RUSTUP_MAX_RETRIES", "1");
    rustup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = rustup.spawn() else { return false };
    say(format_args!("asking rustup for {TARGET}"));
    let start = Instant::now();
    while start.elapsed() < RUSTUP_PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &str = "rustc 1.95.0 (59807616e 2026-04-14)\n\
                         binary: rustc\n\
                         commit-hash: 59807616e\n\
                         host: x86_64-unknown-linux-gnu\n\
                         release: 1.95.0\n\
                         LLVM version: 22.1.0\n";

    #[test]
    fn rustc_is_understood() {
        let active = Active::parse(ABOUT, "/tc\n/tc/lib/rustlib/wasm32-wasip2/lib\n").unwrap();
        assert_eq!(active.version, "rustc 1.95.0 (59807616e 2026-04-14)");
        assert_eq!(active.release, "1.95.0");
        assert_eq!(active.host, "x86_64-unknown-linux-gnu");
        assert_eq!(active.sysroot, Path::new("/tc"));
        assert_eq!(active.libdir, Path::new("/tc/lib/rustlib/wasm32-wasip2/lib"));
        assert!(!active.has_target());
        assert!(Active::parse("rustc 1.95.0", "/tc\n/tc/lib").is_none());
        assert!(Active::parse(ABOUT, "/tc").is_none());
    }

    #[test]
    fn the_active_rustc_answers() {
        let active = Active::ask().unwrap();
        assert!(active.version.starts_with("rustc "), "{}", active.version);
        assert!(active.sysroot.is_dir());
    }

    #[test]
    fn the_standard_library_is_recognised() {
        assert!(is_std("libstd-b3bac8439a1072cc.rlib"));
        assert!(!is_std("libstd_detect-41bd0bd086de0af8.rlib"));
        assert!(!is_std("libstd-b3bac8439a1072cc.rmeta"));
    }

    #[test]
    fn the_advice_is_to_the_point() {
        let active = Active::parse(ABOUT, "/tc\n/tc/lib").unwrap();
        assert!(no_target(&active).ends_with("Run: rustup target add wasm32-wasip2"));
    }

    #[test]
    fn an_inner_cargo_is_left_alone() {
        for name in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
            assert!(disturbs_a_build(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN", "CARGO_MAKEFLAGS"] {
            assert!(!disturbs_a_build(name), "{name}");
        }
    }
}
