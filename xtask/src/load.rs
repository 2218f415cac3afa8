//! `cargo xtask load`: the HTTP server under load while its file is replaced and cut short, by
//! `iommap-load`, which holds every answer to the truth and watches what the server uses.

use crate::run::{released, say};
use crate::serve::{self, Running};
use anyhow::{Context, Result, ensure};
use iommap_artifacts::target_dir;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What `cargo xtask load` takes.
#[derive(clap::Args)]
pub(crate) struct Load {
    /// How many requests it makes
    #[arg(long, default_value_t = 2_000_000)]
    requests: u64,
    /// The MaxMind DB file to answer from [default: one that is fetched from npm, once]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

/// Runs it, and fails if anything was wrong or left over.
pub(crate) fn run(options: &Load) -> Result<()> {
    let database = serve::database_or(options.database.as_deref())?;
    let server = released("iommap-server", "iommap-server")?;
    let client = released("iommap-server", "iommap-load")?;
    // A directory of its own, since the database in it is destroyed.
    let directory = target_dir().join("load");
    fs::create_dir_all(&directory)?;
    let copy = directory.join(database.file_name().context("the database has no name")?);
    fs::copy(&database, &copy)?;
    say(format_args!("{} requests, while the file is replaced and cut", options.requests));
    let server = Running::start(serve::command(&server, &copy)?.env("IOMMAP_LOG", "error"))?;
    let mut load = Command::new(client);
    load.args(["run", "--server", &server.address, "--pid", &server.pid().to_string()]);
    load.args(["--requests", &options.requests.to_string(), "--database"]).arg(&copy);
    let status = load.status().context("cannot run iommap-load")?;
    ensure!(server.stop()? && status.success(), "see above");
    Ok(fs::remove_dir_all(&directory)?)
}
