//! What the command line itself says, as opposed to its guest: on stderr, after `iommap: `.
//!
//! Nothing here panics, whoever stopped reading.

use anyhow::{Context, Result};
use std::fmt::Display;
use std::io::{self, Write};

/// Says something to the user.
pub(crate) fn say(message: impl Display) {
    // In one write, so that lines of others don't come between.
    let text = format!("iommap: {message}\n");
    _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says something that may be wrong, but is no reason to stop.
pub(crate) fn warn(message: impl Display) {
    say(format_args!("warning: {message}"));
}

/// Says something that is as it should be, and worth knowing.
pub(crate) fn note(message: impl Display) {
    say(format_args!("note: {message}"));
}

/// Prints what a command was asked for. A reader that has seen enough, as in `| head`, is fine.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_ref()).and_then(|()| out.flush()))
}

/// Sees to it that what was printed so far is out.
pub(crate) fn flush() -> Result<()> {
    written(io::stdout().flush())
}

fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the standard output cannot be written to"),
    }
}
