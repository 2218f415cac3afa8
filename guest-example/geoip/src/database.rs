//! Opening files, and what goes wrong with them.

use iommap_guest::{Advice, ErrorKind, Mapping, Reader};
use mmdb::{Database, end};
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// A database in a mapped file, through a window if there is one.
pub(crate) type Mapped = Database<mmdb::Mapped>;

/// What is wrong with a file that is shorter than it was.
pub(crate) const CUT: &str = "the file was cut short while it was being read";

/// What went wrong with what, as a sentence.
pub(crate) type Failure = String;

/// Opens a database for a few lookups, or for many, which are worth a window.
pub(crate) fn open(path: &str, many: bool) -> Result<Mapped, Failure> {
    let mapping = Mapping::open(path).map_err(|error| format!("{path}: {}", explain(&error)))?;
    // Only a hint: without it more is read from the device than is looked at.
    _ = mapping.advise(0, 0, Advice::Random);
    let open = if many { mmdb::Mapped::with_window } else { mmdb::Mapped::new };
    Database::open(open(mapping)).map_err(|error| damaged(path, &error))
}

/// The lines of a file, which is mapped as well; `-` is standard input.
pub(crate) fn lines(file: &str) -> Result<Box<dyn BufRead>, Failure> {
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

/// The file's last bytes, which are the same for as long as nobody cuts it.
pub(crate) fn last(database: &Mapped, path: &str) -> Result<[u8; 16], Failure> {
    end(database.source()).map_err(|error| format!("{path}: {}", explain(&error)))
}

/// What is wrong with the database.
pub(crate) fn damaged(path: &str, error: &mmdb::Error<iommap_guest::Error>) -> Failure {
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
        ErrorKind::Sigbus => CUT.into(),
        _ => error.to_string(),
    }
}

/// Why the output ended.
pub(crate) fn written(error: io::Error) -> Failure {
    format!("the output cannot be written: {error}")
}
