//! The command line `iommap`: runs WebAssembly components that map files.

mod args;
mod component;
mod directories;
mod engine;
mod inspect;
mod log;
mod outcome;
mod provided;
mod run;
mod size;
mod stats;
mod stdout;
mod terminal;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => return terminal::usage(error),
    };
    log::start(args.verbose);
    let result = match &args.command {
        args::Command::Run(args) => run::run(args),
        args::Command::Inspect(args) => inspect::inspect(args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // The whole chain of reasons on one line, and never a backtrace of ours.
            terminal::say(format_args!("{error:#}"));
            ExitCode::from(outcome::SETUP_FAILED)
        }
    }
}
