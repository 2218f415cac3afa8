//! `cargo xtask serve`: the HTTP server, with its component and a real database.

use crate::run::{program, released, run as run_command, say};
use anyhow::{Context, Result, bail};
use iommap_artifacts::{SetUp, Toolchain, database, guest};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `cargo xtask serve` takes.
#[derive(clap::Args)]
pub(crate) struct Serve {
    /// Built as what is installed is built: takes minutes the first time
    #[arg(long)]
    release: bool,
    /// The MaxMind DB file to answer from [default: one that is fetched from npm, once]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Arguments for the program `iommap-server`, such as `--listen ADDRESS`
    #[arg(last = true, value_name = "ARGUMENT")]
    args: Vec<OsString>,
}

/// Builds what is missing and serves until told to stop.
pub(crate) fn run(options: &Serve) -> Result<()> {
    let database = database_or(options.database.as_deref())?;
    say("building the server (its first build takes some minutes)");
    let name = "iommap-server";
    let server = if options.release { released(name, name)? } else { program(name)? };
    say("starting the server; its page is at the address that it prints, Ctrl-C stops it\n");
    run_command(command(&server, &database)?.args(&options.args))
}

/// A database that somebody names, or one that is fetched.
pub(crate) fn database_or(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(file) => file.canonicalize().with_context(|| format!("no {}", file.display())),
        None => database(SetUp::Allowed),
    }
}

/// The command that serves a database.
pub(crate) fn command(server: &Path, database: &Path) -> Result<Command> {
    Toolchain::set_up()?;
    let both = database.parent().zip(database.file_name()).context("a file is in a directory")?;
    let (directory, name) = (both.0.display(), both.1.display());
    let mut command = Command::new(server);
    command.args(["--dir", &format!("{directory}::/data")]);
    command.args(["--env", &format!("LOOKUP_DATABASE=/data/{name}")]);
    command.args(["--keep-mapped", &format!("/data/{name}"), guest("lookup")]);
    Ok(command)
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
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        if address.is_empty() {
            bail!("{command:?} failed: {}", child.wait()?);
        }
        Ok(Running { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop. Tells whether it did so with every request answered.
    pub(crate) fn stop(mut self) -> Result<bool> {
        run_command(Command::new("kill").args(["-TERM", &self.pid().to_string()]))?;
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
