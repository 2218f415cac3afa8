//! Another process that appends to two files. Guests map the one privately, and make the other one
//! longer. Whatever they do, every byte that was appended stays.

use crate::vandal::{WHOLE, contents, end_with_parent};
use anyhow::{Result, ensure};
use fastrand::Rng;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// The file that is mapped privately.
pub(crate) const LOG: &str = "log";

/// The file that is made longer.
pub(crate) const GROWN: &str = "grown";

/// What was found in files to which bytes were appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes that were appended, each of which is what it must be, and in its order.
    pub(crate) appended: u64,
    /// Zeros between them: the file was made longer, and the next byte came behind that.
    pub(crate) zeros: u64,
}

/// Makes the files, so that guests find them.
pub(crate) fn make(directory: &Path) -> Result<()> {
    for name in [LOG, GROWN] {
        fs::write(directory.join(name), "")?;
        fs::write(full(directory, name), "0 0")?;
    }
    Ok(())
}

/// Where it is kept what was found in those that were full and made way for another.
fn full(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}-full"))
}

/// Goes on until the parent ends.
pub(crate) fn run(directory: &Path, seed: u64) -> Result<()> {
    end_with_parent()?;
    let mut random = Rng::with_seed(seed ^ 1 << 50);
    let contents = contents();
    let mut files = [Appended::open(directory, LOG)?, Appended::open(directory, GROWN)?];
    loop {
        for file in &mut files {
            file.append(&contents, 1 + random.u64(..9000))?;
            sleep(Duration::from_micros(random.u64(..300)));
        }
    }
}

/// A file that gets the contents piece by piece. When it is full, it is looked at byte by byte, and
/// replaced.
struct Appended<'a> {
    directory: &'a Path,
    name: &'static str,
    file: File,
    length: u64,
    /// What was found in those before it.
    full: Found,
}

impl<'a> Appended<'a> {
    fn open(directory: &'a Path, name: &'static str) -> Result<Appended<'a>> {
        let file = File::options().append(true).open(directory.join(name))?;
        Ok(Appended { directory, name, file, length: 0, full: Found::default() })
    }

    fn append(&mut self, contents: &[u8], more: u64) -> Result<()> {
        let (length, found) = (self.length, self.file.metadata()?.len());
        ensure!(found >= length, "FOUND: {length} bytes were appended, and there are {found}");
        let end = WHOLE.min(length + more);
        self.file.write_all(&contents[length as usize..end as usize])?;
        self.length = end;
        if end < WHOLE {
            return Ok(());
        }
        let path = self.directory.join(self.name);
        let found = look_at(&path, contents)?;
        ensure!(found.appended == WHOLE, "FOUND: of {WHOLE} bytes there are {}", found.appended);
        self.full.appended += found.appended;
        self.full.zeros += found.zeros;
        let Found { appended, zeros } = self.full;
        fs::write(full(self.directory, self.name), format!("{appended} {zeros}"))?;
        let new = self.directory.join(format!("new-{}", self.name));
        fs::write(&new, "")?;
        fs::rename(&new, &path)?;
        *self = Appended { full: self.full, ..Appended::open(self.directory, self.name)? };
        Ok(())
    }
}

/// Reads a file, whose bytes must be the first of the contents. None of these is zero.
fn look_at(path: &Path, contents: &[u8]) -> Result<Found> {
    let mut bytes = fs::read(path)?;
    let all = bytes.len();
    bytes.retain(|byte| *byte != 0);
    ensure!(contents.starts_with(&bytes), "FOUND: bytes that were appended are others");
    Ok(Found { appended: bytes.len() as u64, zeros: (all - bytes.len()) as u64 })
}

/// What is there, now that nobody appends any more. There are zeros in the file that is made longer
/// alone.
pub(crate) fn account(directory: &Path) -> Result<Found> {
    let contents = contents();
    let mut sum = Found::default();
    for name in [LOG, GROWN] {
        let last = look_at(&directory.join(name), &contents)?;
        // The process may have been killed while it wrote this.
        let text = fs::read_to_string(full(directory, name))?;
        let full = text.split_once(' ').map(|(appended, zeros)| (appended.parse(), zeros.parse()));
        let (appended, zeros) = match full {
            Some((Ok(appended), Ok(zeros))) => (appended, zeros),
            _ => (0, 0),
        };
        let zeros: u64 = last.zeros + zeros;
        ensure!(name == GROWN || zeros == 0, "FOUND: {zeros} bytes of {name} are zeros");
        sum.appended += last.appended + appended;
        sum.zeros += zeros;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_byte_that_is_missing_when_looked_at_then_it_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(GROWN);
        let contents = contents();
        let look = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            look_at(&path, &contents)
        };
        let (start, zeros) = (&contents[..5000], [0; 700]);
        let whole = look(&[&zeros, start, &zeros, &contents[5000..6000]].concat()).unwrap();
        assert_eq!(whole, Found { appended: 6000, zeros: 1400 });
        look(&[start, &contents[5001..6000]].concat()).unwrap_err();
        look(&[&zeros, &contents[5000..6000]].concat()).unwrap_err();
        // Of those that come last it is only known how many there must be.
        assert_eq!(look(&start[..4999]).unwrap().appended, 4999);
    }
}
