//! `cargo xtask stress`: guests that share a file which other processes destroy.
//!
//! Guests on several threads, with a store each, sync and async, read and write one file and check
//! every byte that they read ([`iommap_pattern`]). Meanwhile other processes cut, regrow, punch and
//! replace the file ([`vandal`]), another appends to files that guests map and make longer
//! ([`appender`]), some guests trap behind the end of their memory, some are interrupted by an epoch,
//! and some calls are dropped in their middle ([`guests`]). Others look at files through windows
//! ([`windows`]). In the end it must all add up ([`totals`]).
//!
//! The guests run in a process of their own, so that a crash is a finding and not the end of it
//! ([`supervisor`]).

mod appender;
mod guests;
mod leftovers;
mod raised;
mod run;
mod seen;
mod supervisor;
mod totals;
mod vandal;
mod windows;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Guests that share a file which other processes destroy
#[derive(Parser)]
#[command(name = "iommap-stress")]
struct Cli {
    /// How long to go on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the random numbers start [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// Where to make the directory with the file [default: the system's for temporary files]
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the processes are that the first one starts.
#[derive(Subcommand)]
enum Role {
    /// Runs the guests
    #[command(hide = true)]
    Guests {
        /// Where the file is
        directory: PathBuf,
    },
    /// Destroys the file, again and again
    #[command(hide = true)]
    Vandal {
        /// Where the file is
        directory: PathBuf,
        /// A number of its own
        number: u64,
    },
    /// Appends to other files, and misses every byte that is gone
    #[command(hide = true)]
    Appender {
        /// Where the file is
        directory: PathBuf,
    },
    /// Cuts a file between pages and restores it, again and again
    #[command(hide = true)]
    Cutter {
        /// Where the file is
        directory: PathBuf,
    },
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let seed = cli.seed.unwrap_or_else(now);
    let good = match cli.role {
        None => supervisor::run(cli.seconds, seed, cli.directory.as_deref())?,
        Some(Role::Guests { directory }) => run::run(&directory, cli.seconds, seed)?,
        Some(Role::Vandal { directory, number }) => {
            vandal::run(&directory, number, seed)?;
            true
        }
        Some(Role::Appender { directory }) => {
            appender::run(&directory, seed)?;
            true
        }
        Some(Role::Cutter { directory }) => {
            windows::cutter::run(&directory, seed)?;
            true
        }
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs() ^ u64::from(since.subsec_nanos()) << 20
}
