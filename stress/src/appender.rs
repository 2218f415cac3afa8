//! Another process that appends to a file, which guests map privately meanwhile. Whatever they do to
//! their mappings, every byte of it stays.

use crate::vandal::{WHOLE, contents, end_with_parent};
use anyhow::{Result, ensure};
use fastrand::Rng;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// The file's name.
pub(crate) const LOG: &str = "log";

/// How many bytes were appended to files that were full and made way for another.
const FULL: &str = "log-full";

/// Makes the file, so that guests find it.
pub(crate) fn make(directory: &Path) -> Result<()> {
    fs::write(directory.join(FULL), "0")?;
    Ok(fs::write(directory.join(LOG), "")?)
}

/// Goes on until the parent ends. A file that is full is looked at byte by byte, and replaced.
pub(crate) fn run(directory: &Path, seed: u64) -> Result<()> {
    end_with_parent()?;
    let mut random = Rng::with_seed(seed ^ 1 << 50);
    let contents = contents();
    let (path, new) = (directory.join(LOG), directory.join("new-log"));
    let mut full = 0;
    loop {
        let mut file = File::options().append(true).open(&path)?;
        let mut length = 0;
        while length < WHOLE {
            let found = file.metadata()?.len();
            ensure!(found == length, "FOUND: {length} bytes were appended, and there are {found}");
            let more = (1 + random.u64(..9000)).min(WHOLE - length);
            file.write_all(&contents[length as usize..(length + more) as usize])?;
            length += more;
            sleep(Duration::from_micros(random.u64(..600)));
        }
        ensure!(fs::read(&path)? == contents, "FOUND: bytes that were appended are others");
        full += length;
        fs::write(directory.join(FULL), full.to_string())?;
        fs::write(&new, "")?;
        fs::rename(&new, &path)?;
    }
}

/// How many bytes were appended, now that nobody appends any more: those in the last file are what
/// they must be.
pub(crate) fn account(directory: &Path) -> Result<u64> {
    let last = fs::read(directory.join(LOG))?;
    ensure!(contents().starts_with(&last), "FOUND: bytes that were appended are others");
    // It may have been killed while it wrote this.
    let full = fs::read_to_string(directory.join(FULL))?.parse().unwrap_or(0);
    Ok(full + last.len() as u64)
}
