//! Prints the last lines of files: opened with `std`, read through a mapping.

mod lines;

use iommap_guest::Mapping;
use lexopt::prelude::*;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: last [-n LINES] FILE...

Prints the last LINES lines of each file: 10, unless said otherwise.";

fn main() -> ExitCode {
    let (lines, files) = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("last: {error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for path in files {
        if let Err(error) = print(&path, lines) {
            eprintln!("last: {path}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn print(path: &str, lines: u64) -> Result<(), Box<dyn Error>> {
    let file = File::open(path)?;
    let mapping = Mapping::options().read(true).map_file(&file, path)?;
    // The mapping keeps the file.
    drop(file);
    let mut out = io::stdout().lock();
    lines::copy(&mapping, lines::start(&mapping, lines)?, &mut out)?;
    Ok(out.flush()?)
}

fn arguments() -> Result<(u64, Vec<String>), lexopt::Error> {
    let (mut lines, mut files) = (10, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('n') | Long("lines") => lines = parser.value()?.parse()?,
            Short('h') | Long("help") => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            Value(file) => files.push(file.string()?),
            other => return Err(other.unexpected()),
        }
    }
    if files.is_empty() {
        return Err("no file is named".into());
    }
    Ok((lines, files))
}
