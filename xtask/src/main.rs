//! `cargo xtask`: the project's own commands.

mod ci;
mod container;
mod crates;
mod demo;
mod document;
mod geoip;
mod platforms;
mod run;
mod serve;
mod test;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use iommap_artifacts::{SetUp, TARGET, Toolchain, build_all, build_others, database, model, words};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// The project's own commands. Each sets up by itself what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Search a file larger than a guest's memory, and cut it under the search
    Demo {
        /// Search this file instead
        #[arg(requires = "pattern")]
        file: Option<PathBuf>,
        /// What to search for
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
    /// Fetch what sample guests are tested with, 110 MB, and print where it is: a database of countries,
    /// words, and a model
    Data,
    /// Measure the sample guest `geoip` on a real database, beside the native crate `maxminddb`
    Geoip {
        /// How many addresses of either IP version
        #[arg(long, default_value_t = 1_000_000)]
        count: u32,
        /// How often each is measured: medians are compared
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Of the random addresses
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure the programs on `memmap2`, each beside itself natively, on real files
    Crates {
        /// How often each is measured, in turns
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// A text of which each line is a document, to measure tantivy as well
        #[arg(long)]
        text: Option<PathBuf>,
    },
    /// Let guests share a file that other processes destroy, and see that nothing goes wrong
    Stress {
        /// How long to go on
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Arguments for the program `iommap-stress`, such as `--seed N` or `--directory DIR`
        #[arg(last = true, value_name = "ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Start the HTTP server on a database of countries, and look addresses up in a browser
    Serve {
        /// Built as what is installed is built: takes minutes the first time
        #[arg(long)]
        release: bool,
        #[command(flatten)]
        options: serve::Options,
    },
    /// Put the HTTP server under load, and see that nothing is wrong and nothing is left over
    Load(serve::Options),
    /// Measure calls through a mapping beside what one would use otherwise
    Bench {
        /// Less than two minutes, and nothing written; without it, docs/performance.md is
        #[arg(long)]
        quick: bool,
        /// Arguments for the program `iommap-bench`, such as `--stores`
        #[arg(last = true, value_name = "ARGUMENT")]
        args: Vec<OsString>,
    },
    /// Compile for every system, test where something can be run, and print a table
    Platforms {
        /// Only the tests for aarch64 and one other system's native layer
        #[arg(long)]
        quick: bool,
        /// Put the table into docs/reference.md
        #[arg(long, conflicts_with = "quick")]
        write: bool,
    },
    /// Run components in containers, by Debian's containerd and runc: needs root
    Container {
        /// Without measuring the time to start, as CI runs it
        #[arg(long)]
        quick: bool,
    },
    /// Run them on two machines in network namespaces, by Debian's Docker Swarm: needs root
    Cluster,
    /// Count the packages that iommap adds to a program that has wasmtime and wasmtime-wasi
    Embedder,
    /// Check formatting, lints, documentation and packages, and run every test
    Ci {
        /// Only check
        #[arg(long)]
        no_test: bool,
    },
}

fn main() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Demo { file, pattern } => match file.zip(pattern) {
            Some((file, pattern)) => demo::search(&file, &pattern),
            None => demo::run().map(|()| 0),
        },
        command => other(command).map(|()| 0),
    };
    code.map_or_else(
        |error| {
            // The causes, but no backtrace: it is not our code that went wrong.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

fn other(command: Command) -> Result<()> {
    match command {
        Command::Demo { .. } => bail!("it has an exit code of its own"),
        Command::Test { args } => test::run(&args),
        Command::Guests => guests(),
        Command::Setup => set_up(),
        Command::Data => {
            for fetch in [database, words, model] {
                println!("{}", fetch(SetUp::Allowed)?.display());
            }
            Ok(())
        }
        Command::Geoip { count, rounds, seed } => geoip::run(count, rounds, seed),
        Command::Crates { rounds, text } => crates::measure(rounds, text.as_deref()),
        Command::Stress { seconds, args } => run::stress(seconds, &args),
        Command::Serve { release, options } => serve::serve(&options, release),
        Command::Load(options) => serve::load(&options),
        Command::Bench { quick, args } => run::bench(quick, &args),
        Command::Platforms { quick, write } => platforms::run(quick, write),
        Command::Container { quick } => container::container(quick),
        Command::Cluster => container::cluster(),
        Command::Embedder => ci::embedder(),
        Command::Ci { no_test } => ci::run(!no_test),
    }
}

fn guests() -> Result<()> {
    let mut guests = build_all(&Toolchain::set_up()?)?;
    let others = build_others(SetUp::Allowed)?;
    guests.extend(others.guests);
    for guest in &guests {
        let kib = guest.path.metadata()?.len().div_ceil(1024);
        println!("{:20} {kib:>6} KiB  {}", guest.name, guest.path.display());
    }
    for (language, why) in others.skipped {
        println!("skipped: the guests in {}: {why}", language.name());
    }
    for (guest, why) in others.missing {
        println!("skipped: the guest {guest}: {why}");
    }
    Ok(())
}

fn set_up() -> Result<()> {
    match Toolchain::set_up()?.rustc() {
        None => println!("{TARGET} is installed: nothing to set up"),
        Some(rustc) => println!(
            "guests are built with {}\nBy hand: RUSTC={0} cargo build --target {TARGET}",
            rustc.display()
        ),
    }
    for (language, tools) in iommap_artifacts::Language::ALL.map(|l| (l, l.tools(SetUp::Allowed))) {
        match tools {
            Ok(_) => println!("guests in {}: ready", language.name()),
            Err(why) => println!("guests in {}: not to be had here: {why:#}", language.name()),
        }
    }
    Ok(())
}
