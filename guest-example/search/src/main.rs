//! Finds a pattern in files of any size: `search --help` says how it is used. [`scan`] is the
//! search; this file opens mappings, prints what was found and says what went wrong.

mod options;
mod output;
mod scan;

use iommap_guest::{Advice, Error, ErrorKind, Mapping};
use options::{HELP, Options};
use output::Output;
use scan::{Stop, Tally, scan};
use std::io;

/// grep's, but for the last: 2 is what the command line that runs a guest ends with by itself.
const FOUND: u8 = 0;
const NOTHING_FOUND: u8 = 1;
const FAILED: u8 = 3;

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
    #[cfg(target_arch = "wasm32")]
    wasip2::cli::exit::exit_with_code(status);
    #[cfg(not(target_arch = "wasm32"))]
    std::process::exit(status.into());
}

fn run(options: &Options) -> u8 {
    let mut output = Output::new(options);
    let (mut total, mut failed) = (Tally::default(), false);
    for file in &options.files {
        let mut tally = Tally::default();
        let searched = search(file, options, &mut output, &mut tally);
        total.matches += tally.matches;
        total.lines += tally.lines;
        total.scanned += tally.scanned;
        match searched {
            Ok(()) => {}
            Err(Stop::Read(error)) => {
                // What was found before comes first, also where both go to the same place.
                _ = output.flush();
                eprintln!("search: {file}: {}", explain(&error, &tally));
                failed = true;
            }
            Err(Stop::Write(error)) => return output_failed(&error),
        }
    }
    if let Err(error) = output.flush() {
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

fn search(path: &str, options: &Options, out: &mut Output, tally: &mut Tally) -> Result<(), Stop> {
    // The mapping covers what the file held when it was opened: what is appended to it later isn't
    // searched.
    let mapping = Mapping::open(path)?;
    // Only a hint: without it the search is slower at worst.
    _ = mapping.advise(0, 0, Advice::Sequential);
    out.begin(path, mapping.len()?);
    let ended = scan(&mapping, &options.query, out, tally);
    if options.count {
        out.print(&format!("{path}:{}\n", tally.lines))?;
    }
    ended
}

/// What happened, and what can be done about it.
fn explain(error: &Error, tally: &Tally) -> String {
    match error.kind() {
        ErrorKind::Sigbus => format!(
            "the file was cut short while it was being read: nothing is left at offset {}; {} \
             until there",
            tally.scanned,
            found(tally)
        ),
        ErrorKind::Enoent => "there is no such file. Names are those that the component sees: \
             --dir HOST::GUEST shows the host's directory HOST as GUEST"
            .into(),
        ErrorKind::Eacces => "not granted, or not readable. A directory is granted with \
             `iommap run --dir DIR ...`, and a path may not leave it"
            .into(),
        ErrorKind::LimitExceeded => "a limit of the host is reached: a higher one is set with \
             `iommap run --limit NAME=VALUE ...`"
            .into(),
        _ => error.to_string(),
    }
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
