//! Finds a pattern in files of any size. `search --help` says how it is used.
//!
//! [`scan`] is the search, free of everything that has to do with wasm; this file opens the
//! mappings and says what went wrong, [`output`] prints the rest.

mod bindings;
mod options;
mod output;
mod scan;

use std::io;

use bindings::wasi::wasi::cli::exit::exit_with_code;
use iommap_guest::{Advice, Error, ErrorCode, Mapping};
use options::{HELP, Options};
use output::Printer;
use scan::{End, ReadError, Source, Tally, scan};

const FOUND: u8 = 0;
const NOTHING_FOUND: u8 = 1;
const FAILED: u8 = 2;

fn main() {
    let status = match options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{HELP}");
            FOUND
        }
        Err(error) => {
            eprintln!("search: {error}\nsearch: --help says how it is used");
            FAILED
        }
    };
    exit_with_code(status);
}

fn run(options: &Options) -> u8 {
    let mut printer = Printer::new(options);
    let (mut total, mut failed) = (Tally::default(), false);
    for file in &options.files {
        match search(file, options, &mut printer, &mut total) {
            Ok(()) => {}
            Err(Failure::Input(message)) => {
                // What was found before comes first, also where both go to the same place.
                _ = printer.finish();
                eprintln!("search: {file}: {message}");
                failed = true;
            }
            Err(Failure::Output(error)) => return output_failed(&error),
        }
    }
    if let Err(error) = printer.finish() {
        return output_failed(&error);
    }
    if !options.quiet {
        eprintln!("search: {}, {} scanned", found(&total), count(total.scanned, "byte", "bytes"));
    }
    match (failed, total.matches) {
        (true, _) => FAILED,
        (false, 0) => NOTHING_FOUND,
        (false, _) => FOUND,
    }
}

/// Why a file was not searched to its end.
enum Failure {
    Input(String),
    Output(io::Error),
}

/// Searches one file and adds what it found to `total`.
fn search(
    path: &str,
    options: &Options,
    printer: &mut Printer<'_>,
    total: &mut Tally,
) -> Result<(), Failure> {
    let failure = |error: Error| Failure::Input(explain(&error));
    let mapping = Mapping::open(path).map_err(failure)?;
    // The mapping covers what the file held when it was opened: what is appended to it later
    // isn't searched.
    let size = mapping.len().map_err(failure)?;
    // Only a hint: without it the search is slower at worst.
    _ = mapping.advise(0, 0, Advice::Sequential);

    let mut mapped = Mapped(mapping);
    let (tally, end) = scan(&mut mapped, size, &options.query, &mut printer.file(path, size));
    total.matches += tally.matches;
    total.lines += tally.lines;
    total.scanned += tally.scanned;
    if options.count {
        printer.print(&format!("{path}:{}\n", tally.lines)).map_err(Failure::Output)?;
    }
    match end {
        End::Complete | End::Enough => Ok(()),
        End::Cut => Err(Failure::Input(format!(
            "the file was cut short while it was being read: nothing is left at offset {}; \
             {} until there",
            tally.scanned,
            found(&tally)
        ))),
        End::Read(error) => Err(Failure::Input(format!(
            "reading stopped at offset {}: {}; {} until there",
            tally.scanned,
            explain(&error),
            found(&tally)
        ))),
        End::Write(error) => Err(Failure::Output(error)),
    }
}

/// A mapping as something to search in.
struct Mapped(Mapping);

impl Source for Mapped {
    type Error = Error;

    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ReadError<Error>> {
        self.0.read_exact_at(offset, bytes).map_err(|error| match error.code() {
            ErrorCode::Sigbus => ReadError::Gone,
            _ => ReadError::Other(error),
        })
    }
}

/// What happened, and what can be done about it.
fn explain(error: &Error) -> String {
    match error.code() {
        ErrorCode::Enoent => {
            "there is no such file. Names are those that the component sees: \
             --dir HOST::GUEST shows the host's directory HOST as GUEST"
        }
        ErrorCode::Eacces => {
            "not granted, or not readable. A directory is granted with \
             `iommap run --dir DIR ...`, and a path may not leave it"
        }
        ErrorCode::Enotreg => "not a regular file",
        ErrorCode::Badarg => "this path cannot be the name of a file",
        ErrorCode::LimitExceeded => {
            "a limit of the host is reached: a higher one is set with \
             `iommap run --limit NAME=VALUE ...`"
        }
        ErrorCode::Enomem => "the host has no memory or address space left to map it",
        ErrorCode::Emfile => "the host has too many files open",
        ErrorCode::Enotsup => "its file system cannot map files",
        ErrorCode::Eio => "the device failed to read it",
        ErrorCode::Other(Some(text)) => return format!("the host says: {text}"),
        ErrorCode::Other(None) => "the host failed and did not say why",
        _ => return format!("unexpectedly: {error}"),
    }
    .into()
}

fn output_failed(error: &io::Error) -> u8 {
    eprintln!("search: the output cannot be written: {error}");
    FAILED
}

fn found(tally: &Tally) -> String {
    let matches = count(tally.matches, "match", "matches");
    format!("{matches} in {}", count(tally.lines, "line", "lines"))
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
