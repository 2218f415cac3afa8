//! `cargo xtask demo`: the sample guest `search` on a real file, through the command line.

use crate::workspace::{root, say, shown, status};
use crate::{guests, host, toolchain};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// What is searched for, and where, if nobody says.
const DEFAULT: (&str, &str) = ("Cargo.lock", "wasmtime");

/// The directory that the guest sees the file in.
const GUEST_DIR: &str = "/data";

/// Sets up and builds what is missing, and runs `search`. Returns the guest's exit code.
pub fn run(file: Option<&Path>, pattern: Option<&str>) -> Result<u8> {
    let default = root().join(DEFAULT.0);
    let (file, pattern) = (file.unwrap_or(&default), pattern.unwrap_or(DEFAULT.1));
    // Before anything is built, since that may take minutes.
    let grant = Grant::of(file)?;

    let toolchain = toolchain::ensure()?;
    say("building the guests");
    let guests = guests::build(&root().join("guest-example"), &toolchain)?;
    let search = guests
        .into_iter()
        .find(|guest| guest.name == "search")
        .context("guest-example has no guest named `search`")?;
    say("building the host (its first build takes some minutes)");
    let iommap = host::command_line()?;

    let mut command = command(&iommap, &grant, &search.path, pattern);
    say("running the guest:\n");
    eprintln!("{}\n", shown(&command));
    let code = exit_code(status(&mut command)?);
    eprintln!();
    match code {
        0 => say("the guest found it (exit code 0)"),
        1 => say("the guest found nothing (exit code 1, as grep has it)"),
        code => say(format_args!("the guest ended with exit code {code}")),
    }
    say("next: `cargo xtask demo FILE PATTERN` with a file of your own, `cargo xtask test`");
    Ok(code)
}

fn command(iommap: &Path, grant: &Grant, component: &Path, pattern: &str) -> Command {
    let mut command = Command::new(iommap);
    command.args(["run", "--stats", "--dir", &grant.to(GUEST_DIR)]).arg(component);
    command.args([pattern, &grant.file_in(GUEST_DIR)]);
    command
}

/// A file, as a guest is given it: through its directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    dir: String,
    name: String,
}

impl Grant {
    pub(crate) fn of(file: &Path) -> Result<Grant> {
        let shown = file.display();
        // A link may lead out of its directory, and so out of the grant: grant what it leads to.
        let real = file.canonicalize().with_context(|| format!("cannot open {shown}"))?;
        let kind = fs::metadata(&real).with_context(|| format!("cannot open {shown}"))?;
        if kind.is_dir() {
            bail!("{shown} is a directory: name a file in it");
        }
        if !kind.is_file() {
            bail!("{shown} is not a regular file: only those can be mapped");
        }
        Grant::of_real(&real)
    }

    fn of_real(real: &Path) -> Result<Grant> {
        let path = real.to_str().with_context(|| {
            format!("{} is not UTF-8, which guest paths are: rename it", real.display())
        })?;
        let (dir, name) = path.rsplit_once('/').context("the path has no directory")?;
        let dir = if dir.is_empty() { "/" } else { dir };
        if dir.contains("::") {
            bail!("{dir} contains `::`, which separates the parts of --dir: move the file");
        }
        Ok(Grant { dir: dir.to_owned(), name: name.to_owned() })
    }

    /// The argument of `--dir` that shows its directory under this name, read-only.
    pub(crate) fn to(&self, guest_dir: &str) -> String {
        format!("{}::{guest_dir}::ro", self.dir)
    }

    /// The guest's path of it.
    pub(crate) fn file_in(&self, guest_dir: &str) -> String {
        format!("{guest_dir}/{}", self.name)
    }
}

/// The exit code, or what a shell would make of a signal.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128u8.wrapping_add(signal as u8);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_granted_through_its_directory() {
        let grant = |path: &str| Grant::of_real(Path::new(path)).unwrap();
        assert_eq!(grant("/var/log/a file").to("/data"), "/var/log::/data::ro");
        assert_eq!(grant("/var/log/a file").file_in("/data"), "/data/a file");
        assert_eq!(grant("/top").to("/db"), "/::/db::ro");
        assert!(Grant::of_real(Path::new("/a::b/c")).unwrap_err().to_string().contains("::"));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_is_refused() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let path = Path::new(OsStr::from_bytes(b"/tmp/caf\xe9"));
        assert!(Grant::of_real(path).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn only_files_that_are_there_are_granted() {
        let refusal = |path: &Path| format!("{:#}", Grant::of(path).unwrap_err());
        assert!(refusal(&root().join("host")).contains("is a directory"));
        assert!(refusal(Path::new("/no/such/file")).starts_with("cannot open /no/such/file: "));
        #[cfg(unix)]
        assert!(refusal(Path::new("/dev/null")).contains("not a regular file"));
        let default = Grant::of(&root().join(DEFAULT.0)).unwrap();
        assert_eq!(default.file_in("/data"), "/data/Cargo.lock");
    }

    #[test]
    fn the_default_has_matches() {
        let text = fs::read_to_string(root().join(DEFAULT.0)).unwrap();
        assert!(text.contains(DEFAULT.1));
    }

    #[test]
    fn the_guest_gets_its_pattern_and_its_path() {
        let grant = Grant::of_real(Path::new("/var/log/syslog")).unwrap();
        let command = command(Path::new("/t/iommap"), &grant, Path::new("/t/search.wasm"), "a b");
        assert_eq!(
            shown(&command),
            "/t/iommap run --stats --dir /var/log::/data::ro /t/search.wasm 'a b' /data/syslog"
        );
    }

    #[cfg(unix)]
    #[test]
    fn exit_codes_are_passed_on() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(3 << 8)), 3);
        assert_eq!(exit_code(ExitStatus::from_raw(7)), 128 + 7);
    }
}
