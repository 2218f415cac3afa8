//! The command line `iommap`: runs WebAssembly components that map files.

mod args;
mod compile;
mod component;
mod crash;
mod directories;
mod ending;
mod engine;
mod exit;
mod grant;
mod inspect;
mod lines;
mod log;
mod lost;
mod manual;
mod nearest;
mod new;
mod notice;
mod outcome;
mod provided;
mod refused;
mod run;
mod state;
mod stats;
mod stdout;
mod terminal;
mod usage;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let answer = match Cli::try_parse() {
        Ok(args) => carry_out(&args).map(ExitCode::from),
        Err(error) => usage::answer(error),
    };
    answer.unwrap_or_else(|error| {
        // The whole chain of reasons on one line, and never a backtrace of ours.
        terminal::say(format_args!("{error:#}"));
        ExitCode::from(exit::SETUP_FAILED)
    })
}

fn carry_out(args: &Cli) -> anyhow::Result<u8> {
    let shown = log::start(args.verbose);
    match &args.command {
        Command::Run(run) => run::run(run, args.verbose, shown),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Compile(args) => compile::compile(args),
        Command::New(args) => new::new(args.template, &args.dir),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { command } => manual::page(command.as_deref()),
    }
}
