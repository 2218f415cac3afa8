//! Looks addresses up in a MaxMind DB file. `geoip --help` says how it is used.
//!
//! [`mmdb`] knows the format and [`iommap_guest`] the mapping it is read from; here are the command
//! line ([`options`]), lookups ([`lookups`]), the benchmark ([`bench`]) and what is printed
//! ([`output`]).

mod bench;
mod lookups;
mod options;
mod output;
mod random;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use iommap_guest::{Advice, ErrorKind, Mapping, Reader};
use lookups::Lookups;
use mmdb::Database;
use options::{Addresses, HELP, Options};

/// A database in a mapped file.
type Mapped = Database<Mapping>;

/// What went wrong with what, as a sentence.
type Failure = String;

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
    let mut database = open(&options.database)?;
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
    let mut lookups = Lookups::new(&database, options);
    match &options.addresses {
        Addresses::Given(given) => given.iter().try_for_each(|address| lookups.add(address, ""))?,
        Addresses::In(file) => lookups.read(&mut *lines(file)?, file)?,
    }
    lookups.finish()
}

fn open(path: &str) -> Result<Mapped, Failure> {
    let mapping = Mapping::open(path).map_err(|error| format!("{path}: {}", explain(&error)))?;
    // Only a hint: without it more is read from the device than is looked at.
    _ = mapping.advise(0, 0, Advice::Random);
    Database::open(mapping).map_err(|error| damaged(path, &error))
}

/// The lines of a file, which is mapped as well; `-` is standard input.
fn lines(file: &str) -> Result<Box<dyn BufRead>, Failure> {
    if file == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    match Mapping::open(file) {
        Ok(mapping) => Ok(Box::new(Reader::new(mapping))),
        // A pipe can't be mapped but read.
        Err(error) if error.kind() == ErrorKind::Enotreg => {
            let file = File::open(file).map_err(|error| format!("{file}: {error}"))?;
            Ok(Box::new(BufReader::new(file)))
        }
        Err(error) => Err(format!("{file}: {}", explain(&error))),
    }
}

/// What is wrong with the database.
fn damaged(path: &str, error: &mmdb::Error<iommap_guest::Error>) -> Failure {
    match error {
        mmdb::Error::Source(error) => format!("{path}: {}", explain(error)),
        other => format!("{path}: {other}"),
    }
}

/// What happened, and what can be done about it.
fn explain(error: &iommap_guest::Error) -> String {
    match error.kind() {
        ErrorKind::Enoent => "there is no such file. Names are those that the component sees: \
             --dir HOST::GUEST shows the host's directory HOST as GUEST"
            .into(),
        ErrorKind::Eacces => "not granted, or not readable. A directory is granted with \
             `iommap run --dir DIR ...`, and a path may not leave it"
            .into(),
        ErrorKind::Sigbus => "the file was cut short while it was being read".into(),
        _ => error.to_string(),
    }
}

/// Why the output ended.
fn written(error: io::Error) -> Failure {
    format!("the output cannot be written: {error}")
}
