//! Finds a pattern in files of any size: `search --help` says how it is used. [`scan`] is the
//! search; this file opens files, prints what was found and says what went wrong.

mod options;
mod output;
mod scan;

use iommap_guest::{Advice, Mapping};
use options::{HELP, Options};
use output::Output;
use scan::{Source, Stop, Tally, scan};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

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
    let file = if options.wasi { through_wasi(path) } else { mapped(path) };
    let file = file.map_err(Stop::Read)?;
    out.begin(path, file.size());
    let ended = scan(&*file, &options.query, out, tally);
    if options.count {
        out.print(&format!("{path}:{}\n", tally.lines)).map_err(Stop::Write)?;
    }
    ended
}

fn mapped(path: &str) -> io::Result<Box<dyn Source>> {
    let mapping = Mapping::open(path)?;
    // Only a hint: without it the search is slower at worst.
    _ = mapping.advise(0, 0, Advice::Sequential);
    // The mapping covers what the file held when it was opened: what is appended to it later isn't
    // searched.
    let size = mapping.len()?;
    Ok(Box::new(Mapped { mapping, size }))
}

struct Mapped {
    mapping: Mapping,
    size: u64,
}

impl Source for Mapped {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        Ok(self.mapping.read_exact_at(offset, buf)?)
    }
}

/// The same without a mapping, to compare.
fn through_wasi(path: &str) -> io::Result<Box<dyn Source>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    Ok(Box::new(Wasi { file, size }))
}

struct Wasi {
    file: File,
    size: u64,
}

impl Source for Wasi {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buf)
    }
}

/// What happened, and what can be done about it.
fn explain(error: &io::Error, tally: &Tally) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!(
            "the file was cut short while it was being read: nothing is left at offset {}; {} \
             until there",
            tally.scanned,
            found(tally)
        ),
        io::ErrorKind::NotFound => {
            "there is no such file. Names are those that the component sees: \
             --dir HOST::GUEST shows the host's directory HOST as GUEST"
                .into()
        }
        io::ErrorKind::PermissionDenied => {
            "not granted, or not readable. A directory is granted with \
             `iommap run --dir DIR ...`, and a path may not leave it"
                .into()
        }
        io::ErrorKind::QuotaExceeded => "a limit of the host is reached: a higher one is set with \
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
