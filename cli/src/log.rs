//! The log: on stderr, and of nothing but warnings unless more is asked for.

use crate::terminal;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Where the filter is taken from, in this order.
const VARIABLES: [&str; 2] = ["IOMMAP_LOG", "RUST_LOG"];

const DEFAULT: &str = "warn";

/// What of the log is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Warnings, since nobody asked for anything.
    Warnings,
    /// What somebody asked for.
    Asked,
}

/// Starts logging. `verbose` counts the `-v` on the command line.
pub(crate) fn start(verbose: u8) -> Shown {
    let (filter, shown) = filter(verbose);
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter)
        .init();
    shown
}

fn filter(verbose: u8) -> (EnvFilter, Shown) {
    let (name, text) = match verbose {
        0 => VARIABLES
            .into_iter()
            .find_map(|name| Some((name, std::env::var(name).ok().filter(|v| !v.is_empty())?)))
            .unwrap_or(("", DEFAULT.to_owned())),
        1 => ("-v", "warn,iommap=debug".to_owned()),
        2 => ("-vv", "warn,iommap=trace".to_owned()),
        _ => ("-vvv", "trace".to_owned()),
    };
    match EnvFilter::try_new(&text) {
        Ok(filter) if name.is_empty() => (filter, Shown::Warnings),
        Ok(filter) => (filter, Shown::Asked),
        Err(error) => {
            terminal::warn(format_args!(
                "{name}={text} is not a filter ({error}): write a level such as debug, or \
                 iommap=debug; only warnings are logged"
            ));
            (EnvFilter::new(DEFAULT), Shown::Warnings)
        }
    }
}
