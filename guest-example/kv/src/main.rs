//! Keeps keys and values in a file. `kv --help` says how it is used.
//!
//! The database is redb, as it comes; [`backend`] puts it on a mapping, and that is all that it
//! takes. [`store`] opens it, [`commands`] are what one does with it, and [`load`] fills it.

mod backend;
mod commands;
mod load;
mod options;
mod store;

use options::{Command, HELP, Options};
use std::process::ExitCode;
use store::Failure;

fn main() -> ExitCode {
    let done = match options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(true)
        }
        Err(error) => Err(format!("{error}\nkv: --help says how it is used")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("kv: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether what was asked for is there.
fn run(options: &Options) -> Result<bool, Failure> {
    match &options.command {
        Command::Put { key, value } => commands::put(options, key, value)?,
        Command::Get { key } => return commands::get(options, key),
        Command::Delete { key } => return commands::delete(options, key),
        Command::Scan(scan) => commands::scan(options, scan)?,
        Command::Compact => commands::compact(options)?,
        Command::Stats => commands::stats(options)?,
        Command::Check => load::check(options)?,
        Command::Load(load) => load::run(options, load)?,
    }
    Ok(true)
}
