//! `iommap-load`: asks a server for addresses, on many connections at once, and holds every answer
//! to what it must be; meanwhile the database under the server is replaced and cut short.
//!
//! Reading order: [`truth`] (what must be answered), [`client`] (asking), [`tally`] (what came of
//! it), [`disturb`] (what happens to the database), [`watch`] (what the server uses), [`start`] (a
//! server of its own), [`long`] and [`compare`] (the two runs) and [`report`].

mod client;
mod compare;
mod disturb;
mod long;
mod report;
mod start;
mod tally;
mod truth;
mod watch;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Loads a server of the component `lookup`, and holds its answers to what they must be
///
/// With --component it starts servers itself, on a copy of the database: first to compare the ways
/// to read it, then for a long run in which the database is replaced and cut short. With --server
/// it makes the long run on one that runs already.
///
/// What it found is printed as Markdown. It ends with 0 if no answer was wrong, and nothing left
/// over.
#[derive(Debug, Parser)]
#[command(name = "iommap-load", version)]
struct Args {
    /// The database that is answered from
    #[arg(long, value_name = "FILE")]
    database: PathBuf,

    /// The component `lookup`, for servers of this program's own
    #[arg(long, value_name = "FILE", required_unless_present = "server")]
    component: Option<PathBuf>,

    /// A server that runs: its database is replaced and cut, so give it a copy
    #[arg(long, value_name = "ADDRESS", requires = "pid", conflicts_with = "component")]
    server: Option<SocketAddr>,

    /// That server's process, to watch what it uses
    #[arg(long)]
    pid: Option<u32>,

    /// How long the long run takes; 0 for none
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,

    /// How many rounds the ways to read the file are compared in; 0 for no comparison
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    rounds: u32,

    /// How long each measurement of the comparison takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    round_time: Duration,

    /// How many connections to make requests on
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    connections: u32,

    /// How long the database stays as it is in the long run
    #[arg(long, value_name = "TIME", default_value = "400ms", value_parser = humantime::parse_duration)]
    calm: Duration,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("iommap-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether all was well.
fn run(args: &Args) -> Result<bool> {
    ensure!(args.connections > 0, "no requests without connections");
    ensure!(!args.round_time.is_zero(), "a measurement takes some time");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(component) = &args.component else {
        let (server, pid) = args.server.zip(args.pid).context("no server is named")?;
        return runtime.block_on(long::run(args, &args.database, server, pid));
    };
    let scene = start::Scene::new(component, &args.database)?;
    if args.rounds > 0 {
        runtime.block_on(compare::run(args, &scene))?;
    }
    if args.time.is_zero() {
        return Ok(true);
    }
    let server = scene.start(&[])?;
    let good = runtime.block_on(long::run(args, &scene.database, server.address, server.pid()))?;
    Ok(server.stop()? && good)
}
