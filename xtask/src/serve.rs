//! `cargo xtask serve`: the HTTP server, with its component and a real database.

use crate::workspace::{cargo, output, root, run as run_command, say, shown};
use crate::{artifacts, data, guests, host, toolchain};
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The component, in the workspace of the sample guests.
const COMPONENT: &str = "lookup";

/// The directory that the component sees the database in.
const GUEST_DIR: &str = "/data";

/// Builds what is missing and serves until told to stop. `args` are further arguments for the
/// server. Returns its exit code.
pub fn run(release: bool, database: Option<&Path>, args: &[OsString]) -> Result<u8> {
    let served = Served::prepare(database)?;
    say("building the server (its first build takes some minutes)");
    let program = if release { released()?.0 } else { host::binary("iommap-server")? };
    let mut command = served.command(&program)?;
    command.args(args);
    say("starting the server; its page is at the address that it prints, Ctrl-C stops it\n");
    eprintln!("{}\n", shown(&command));
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The server and what loads it, built as what is installed is built.
pub(crate) fn released() -> Result<(PathBuf, PathBuf)> {
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--package", "iommap-server", "--bins"]);
    let built = artifacts::build(&mut cargo)?;
    let find = |name: &str| {
        let programs = built.iter().filter_map(|artifact| artifact.executable.clone());
        programs
            .into_iter()
            .find(|path| path.file_stem() == Some(OsStr::new(name)))
            .with_context(|| format!("cargo built no `{name}`"))
    };
    Ok((find("iommap-server")?, find("iommap-load")?))
}

/// What is served.
pub(crate) struct Served {
    pub(crate) component: PathBuf,
    pub(crate) database: PathBuf,
}

impl Served {
    /// Builds the component and finds, or fetches, the database.
    pub(crate) fn prepare(database: Option<&Path>) -> Result<Served> {
        let toolchain = toolchain::ensure()?;
        let database = match database {
            Some(file) => file.canonicalize().with_context(|| format!("no {}", file.display()))?,
            None => data::ensure()?,
        };
        say("building the component");
        let guests = guests::build(&root().join("guest-example"), &toolchain)?;
        let component = guests.into_iter().find(|guest| guest.name == COMPONENT);
        let component = component.context("guest-example has no guest named `lookup`")?.path;
        Ok(Served { component, database })
    }

    /// The command that serves it.
    pub(crate) fn command(&self, program: &Path) -> Result<Command> {
        let directory = self.database.parent().context("the database is in no directory")?;
        let name = self.database.file_name().context("the database has no name")?;
        let mut in_guest = OsString::from(GUEST_DIR);
        in_guest.push("/");
        in_guest.push(name);
        let mut grant = directory.as_os_str().to_owned();
        grant.push("::");
        grant.push(GUEST_DIR);
        let mut variable = OsString::from("LOOKUP_DATABASE=");
        variable.push(&in_guest);
        let mut command = Command::new(program);
        command.arg("--dir").arg(grant).arg("--env").arg(variable);
        command.arg("--keep-mapped").arg(in_guest).arg(&self.component);
        Ok(command)
    }
}

/// A server that was started, and is stopped with this.
pub(crate) struct Running {
    child: Child,
    /// Such as `127.0.0.1:8080`.
    pub(crate) address: String,
}

impl Running {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Result<Running> {
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot run `{}`", shown(command)))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        if address.is_empty() {
            bail!("`{}` failed: {}", shown(command), child.wait()?);
        }
        Ok(Running { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop. Tells whether it did so with every request answered.
    pub(crate) fn stop(mut self) -> Result<bool> {
        let pid = self.pid().to_string();
        output(Command::new("kill").args(["-TERM", &pid]))?;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `iommap-load`, which prints to standard output what it was asked for.
pub(crate) fn list_targets(load: &Path, database: &Path, into: &Path) -> Result<()> {
    let mut list = Command::new(load);
    list.arg("list").arg("--database").arg(database).arg("--into").arg(into);
    run_command(&mut list)
}
