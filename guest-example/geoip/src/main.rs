//! Looks addresses up in a MaxMind DB file. `geoip --help` says how it is used.
//!
//! [`mmdb`] knows the format and [`iommap_guest`] the mapping it is read from; here are the command
//! line ([`options`]), opening files ([`database`]), lookups ([`lookups`]), the benchmark ([`bench`])
//! and what is printed ([`output`]).

mod bench;
mod database;
mod lookups;
mod options;
mod output;

use database::{Failure, damaged, lines, open, written};
use lookups::Lookups;
use options::{Addresses, HELP, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            Ok(true)
        }
        Err(error) => Err(format!("{error}\ngeoip: --help says how it is used")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("geoip: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Tells whether all of it went well; what didn't was said, or is the error.
fn run(options: &Options) -> Result<bool, Failure> {
    let given = matches!(options.addresses, Addresses::Given(_)) && options.bench.is_none();
    let mut database = open(&options.database, !given)?;
    if options.info {
        return output::info(&database, options.json).map(|()| true).map_err(written);
    }
    if let Some(bench) = &options.bench {
        return bench::run(&mut database, options, bench).map(|()| true);
    }
    if let Addresses::In(_) = options.addresses {
        // Worth its time for more than a handful.
        database.keep(lookups::KEPT).map_err(|error| damaged(&options.database, &error))?;
    }
    let mut lookups = Lookups::new(&database, options)?;
    match &options.addresses {
        Addresses::Given(given) => given.iter().try_for_each(|address| lookups.add(address, ""))?,
        Addresses::In(file) => lookups.read(&mut *lines(file)?, file)?,
    }
    lookups.finish()
}
