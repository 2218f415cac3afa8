//! Prints the last lines of files: opened with `std`, read through a mapping.

mod follow;
mod lines;

use iommap_guest::Mapping;
use lexopt::prelude::*;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: last [-n LINES] [-F] FILE...

Prints the last LINES lines of each file: 10, unless said otherwise.

With -F (--follow) it goes on with what is added to the one file, and with the file that takes its
place. Needs a directory that is granted for mappings, and a host that tells of changes: `iommap run
--limit watches=1`.";

fn main() -> ExitCode {
    let (lines, follow, files) = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("last: {error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for path in files {
        let done = if follow {
            follow::follow(&path, lines, &mut io::stdout().lock())
        } else {
            print(&path, lines)
        };
        if let Err(error) = done {
            eprintln!("last: {path}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn print(path: &str, lines: u64) -> io::Result<()> {
    let file = File::open(path)?;
    let mapping = Mapping::options().read(true).map_file(&file, path)?;
    // The mapping keeps the file.
    drop(file);
    let mut out = io::stdout().lock();
    lines::copy(&mapping, lines::start(&mapping, lines)?, &mut out)?;
    out.flush()
}

fn arguments() -> Result<(u64, bool, Vec<String>), lexopt::Error> {
    let (mut lines, mut follow, mut files) = (10, false, Vec::new());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('n') | Long("lines") => lines = parser.value()?.parse()?,
            Short('F') | Long("follow") => follow = true,
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
    if follow && files.len() > 1 {
        return Err("only one file can be followed".into());
    }
    Ok((lines, follow, files))
}
