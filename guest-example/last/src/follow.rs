//! Goes on with what is added to a file, and with the file that takes its place.

use crate::lines;
use iommap_guest::{Error, FileState, Mapping};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// What is followed.
struct Followed {
    mapping: Mapping,
    /// The same file, through WASI: a mapping can't be made longer once the path names another file.
    file: File,
}

/// Prints a file's last lines, and what comes after them, until that fails.
pub(crate) fn follow(path: &str, lines: u64, out: &mut impl Write) -> io::Result<()> {
    let mut followed = Followed::open(path, || Mapping::open(path))?;
    let mut at = lines::start(&followed.mapping, lines)?;
    loop {
        lines::copy(&followed.mapping, at, out)?;
        out.flush()?;
        at = followed.mapping.len()?;
        (followed, at) = next(followed, path, at, out)?;
    }
}

impl Followed {
    /// Opens what the path names twice, until both are one file.
    fn open(path: &str, map: impl Fn() -> Result<Mapping, Error>) -> io::Result<Followed> {
        loop {
            let mapping = map()?;
            let file = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match mapping.changed() {
                    Ok(state) if state.gone || state.replaced => continue,
                    // The mapping's file is still what the path names, so another try would not find it
                    // either. The error is not `NotFound`, for which the caller waits.
                    _ => return Err(io::Error::other(format!("mapped, but not opened: {error}"))),
                },
                file => file?,
            };
            // The path named the mapping's file before and after, and so it did in between.
            match mapping.changed() {
                Ok(state) if state.replaced || state.gone => {}
                // A host that doesn't tell says so once there is something to wait for.
                _ => return Ok(Followed { mapping, file }),
            }
        }
    }

    /// Prints what was added behind what was mapped.
    fn rest(&mut self, at: u64, out: &mut impl Write) -> io::Result<()> {
        // It was cut short before another took its place, and what it has was written since.
        let at = if self.file.seek(SeekFrom::End(0))? < at { 0 } else { at };
        self.file.seek(SeekFrom::Start(at))?;
        io::copy(&mut self.file, out)?;
        out.flush()
    }
}

/// What is to be read next, and from where on.
fn next(
    mut before: Followed,
    path: &str,
    at: u64,
    out: &mut impl Write,
) -> io::Result<(Followed, u64)> {
    loop {
        let state = change(&before.mapping, path)?;
        let next = match Followed::open(path, || before.mapping.remap()) {
            // Gone again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            next => next?,
        };
        // Asked after it was mapped: what was another file by then is one now.
        let now = before.mapping.changed()?;
        if state.replaced != (now.replaced || now.gone) {
            // Before or after it was mapped: it may be the same file, or another one.
            continue;
        }
        if state.replaced {
            before.rest(at, out)?;
            eprintln!("last: {path}: another file has taken its place");
            return Ok((next, 0));
        }
        if next.mapping.len()? < at {
            eprintln!("last: {path}: it was cut short");
            return Ok((next, 0));
        }
        return Ok((next, at));
    }
}

/// Waits until there is something to be mapped that the mapping has not.
fn change(mapping: &Mapping, path: &str) -> Result<FileState, Error> {
    let mut state = mapping.changed()?;
    let mut told = false;
    while state.gone || !(state.replaced || state.longer || state.shorter) {
        if state.gone && !told {
            eprintln!("last: {path}: it is gone, and waited for");
            told = true;
        }
        if let Some(changed) = mapping.wait_for_change(&state, None)? {
            state = changed;
        }
    }
    Ok(state)
}
