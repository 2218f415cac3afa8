//! What the command line itself says, as opposed to its guest: on stderr, after `iommap: `.
//!
//! Nothing here fails or panics when nobody reads it any more.

use clap::error::{ContextKind, ErrorKind};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Says something to the user.
pub(crate) fn say(message: impl Display) {
    _ = writeln!(io::stderr().lock(), "iommap: {message}");
}

/// Says something that may be wrong, but is no reason to stop.
pub(crate) fn warn(message: impl Display) {
    say(format_args!("warning: {message}"));
}

/// Prints what a command was asked for. A reader that has seen enough, as in `| head`, is fine.
pub(crate) fn print(text: impl Display) {
    let mut out = io::stdout().lock();
    _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Answers a command line that is not one to carry out: help, the version, or a mistake.
pub(crate) fn usage(mut error: clap::Error) -> ExitCode {
    // It is of no help that `-- --optoin` would be taken for the name of a component.
    error.remove(ContextKind::Suggested);
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(text);
            return ExitCode::SUCCESS;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            _ = write!(io::stderr().lock(), "{text}");
        }
        _ => say(text.strip_prefix("error: ").unwrap_or(&text).trim_end()),
    }
    ExitCode::from(crate::outcome::SETUP_FAILED)
}
