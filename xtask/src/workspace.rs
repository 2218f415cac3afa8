//! Where things are, and how a command is run so that its failure explains itself.

use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The root of the clone that cargo runs in.
///
/// Cargo says where it is, to what it runs and to build scripts. The path that this was compiled
/// in is asked last only: clones may share a target directory, and cargo then runs a build of
/// the one clone in the other.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let above = |package: &Path| {
            package.ancestors().find(|dir| dir.join("wit/iommap.wit").is_file()).map(Path::to_owned)
        };
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
        package
            .as_deref()
            .and_then(above)
            .unwrap_or_else(|| compiled.parent().expect("xtask lies in the clone").to_owned())
    })
}

/// Where cargo puts what it builds for the host: `CARGO_TARGET_DIR`, or `target` in the clone.
pub fn target_dir() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where what outlives the clone is kept: `IOMMAP_CACHE`, or `iommap` in the user's cache
/// directory (`XDG_CACHE_HOME`, else `~/.cache`).
pub fn cache_dir() -> Result<PathBuf> {
    let dir = |name| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = cache_dir_from(dir("IOMMAP_CACHE"), dir("XDG_CACHE_HOME"), env::home_dir())
        .context("no home directory: set IOMMAP_CACHE to a directory that may keep 500 MB")?;
    Ok(absolute(dir)?)
}

fn cache_dir_from(
    own: Option<PathBuf>,
    xdg: Option<PathBuf>,
    home: Option<PathBuf>,
) -> Option<PathBuf> {
    // A relative XDG_CACHE_HOME is invalid and to be ignored, says its specification.
    let xdg = xdg.filter(|dir| dir.is_absolute());
    own.or_else(|| Some(xdg.or_else(|| Some(home?.join(".cache")))?.join("iommap")))
}

/// A cargo to run in the clone: the one that runs us, if one does.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // What `cargo run` tells the program about itself is no business of the next cargo.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn describes_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name == "CARGO_PRIMARY_PACKAGE"
}

/// Says one line about what goes on, on standard error.
pub fn say(line: impl Display) {
    eprintln!("xtask: {line}");
}

/// Runs a command with our own standard streams; anything but success is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command with our own standard streams and returns how it ended.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot run `{}`", shown(command)))
}

/// Runs a command and returns what it printed. Its errors are part of ours if it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", shown(command), output.status, complaint.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it, with paths below the current directory relative to it.
pub fn shown(command: &Command) -> String {
    let here = env::current_dir().unwrap_or_default();
    let program = Path::new(command.get_program());
    // The path of a toolchain's cargo is of no interest.
    let program = if program.file_stem() == Some(OsStr::new("cargo")) {
        "cargo".into()
    } else {
        quoted(&relative(program.as_os_str(), &here))
    };
    let args = command.get_args().map(|arg| quoted(&relative(arg, &here)));
    [program].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

fn relative(arg: &OsStr, here: &Path) -> String {
    let path = Path::new(arg);
    let short = match path.strip_prefix(here) {
        Ok(rest) if path.is_absolute() && !rest.as_os_str().is_empty() => rest,
        _ => path,
    };
    short.to_string_lossy().into_owned()
}

/// Quotes a word for a POSIX shell if it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn since(start: Instant) -> String {
    spoken(start.elapsed())
}

/// See [`since`].
pub fn spoken(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file());
        assert!(root().join("wit/iommap.wit").is_file());
    }

    #[test]
    fn the_cache_is_where_the_user_wants_it() {
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(cache_dir_from(path("/own"), path("/xdg"), path("/home")), path("/own"));
        assert_eq!(cache_dir_from(None, path("/xdg"), path("/home")), path("/xdg/iommap"));
        assert_eq!(cache_dir_from(None, None, path("/home")), path("/home/.cache/iommap"));
        assert_eq!(cache_dir_from(None, path("xdg"), path("/home")), path("/home/.cache/iommap"));
        assert_eq!(cache_dir_from(None, None, None), None);
    }

    #[test]
    fn commands_are_shown_so_that_a_shell_takes_them() {
        let mut command = Command::new("/toolchain/bin/cargo");
        command.args(["run", "--dir=/a b::/data", "it's", ""]);
        assert_eq!(shown(&command), r"cargo run '--dir=/a b::/data' 'it'\''s' ''");
        assert_eq!(quoted("$HOME"), "'$HOME'");
        assert_eq!(quoted("--dir=/tmp::/data::ro"), "--dir=/tmp::/data::ro");
    }

    #[test]
    fn paths_below_the_current_directory_are_shown_short() {
        let here = Path::new("/work/main");
        assert_eq!(relative(OsStr::new("/work/main/target/x"), here), "target/x");
        assert_eq!(relative(OsStr::new("/work/mainly"), here), "/work/mainly");
        assert_eq!(relative(OsStr::new("/work/main"), here), "/work/main");
        assert_eq!(relative(OsStr::new("wasmtime"), here), "wasmtime");
    }

    #[test]
    fn a_failure_names_the_command_and_its_complaint() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c 'exit 3'`") && error.contains('3'), "{error}");
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().ends_with("why"), "{error}");
        let error = run(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(error.to_string().contains("cannot run `/no/such/program`"), "{error}");
    }

    #[test]
    fn durations_are_spoken() {
        assert_eq!(spoken(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spoken(Duration::from_secs(12)), "12 s");
        assert_eq!(spoken(Duration::from_secs(185)), "3 min 5 s");
    }

    #[test]
    fn what_cargo_says_about_a_package_is_recognised() {
        assert!(describes_a_package("CARGO_PKG_NAME"));
        assert!(describes_a_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_a_package("CARGO_TARGET_DIR"));
        assert!(!describes_a_package("CARGO_TERM_COLOR"));
    }
}
