//! Goes on with what is added to a file, and with the file that takes its place.

use crate::lines;
use iommap_guest::{Error, ErrorKind, FileState, Mapping};
use std::io::{self, Write};

/// Prints a file's last lines, and what comes after them, until that fails.
pub(crate) fn follow(path: &str, lines: u64, out: &mut impl Write) -> io::Result<()> {
    let mut mapping = Mapping::open(path)?;
    let mut at = lines::start(&mapping, lines)?;
    loop {
        lines::copy(&mapping, at, out)?;
        out.flush()?;
        at = mapping.len()?;
        (mapping, at) = next(&mapping, path, at)?;
    }
}

/// What is to be read next, and from where on.
fn next(mapping: &Mapping, path: &str, at: u64) -> Result<(Mapping, u64), Error> {
    loop {
        let state = change(mapping, path)?;
        let next = match mapping.remap() {
            // Gone again.
            Err(error) if error == ErrorKind::Enoent => continue,
            next => next?,
        };
        // Asked after it was mapped: what was another file by then is one now.
        let now = mapping.changed()?;
        if now.gone && !state.replaced {
            // What was mapped may be the same file still, or the one that took its place and went.
            continue;
        }
        if state.replaced || now.replaced {
            eprintln!("last: {path}: another file has taken its place");
            return Ok((next, 0));
        }
        if next.len()? < at {
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
