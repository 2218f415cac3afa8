//! The log: on stderr, and of nothing but warnings unless more is asked for.

use crate::terminal;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Where the filter is taken from, in this order.
const VARIABLES: [&str; 2] = ["IOMMAP_LOG", "RUST_LOG"];

const DEFAULT: &str = "warn";

/// Starts logging. `verbose` counts the `-v` on the command line.
pub(crate) fn start(verbose: u8) {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter(verbose))
        .init();
}

fn filter(verbose: u8) -> EnvFilter {
    let (name, text) = match verbose {
        0 => VARIABLES
            .into_iter()
            .find_map(|name| Some((name, std::env::var(name).ok().filter(|v| !v.is_empty())?)))
            .unwrap_or(("", DEFAULT.to_owned())),
        1 => ("", "warn,iommap=debug".to_owned()),
        2 => ("", "warn,iommap=trace".to_owned()),
        _ => ("", "trace".to_owned()),
    };
    EnvFilter::try_new(&text).unwrap_or_else(|error| {
        terminal::warn(format_args!(
            "{name}={text} is not a filter ({error}): write a level such as debug, or \
             iommap=debug; only warnings are logged"
        ));
        EnvFilter::new(DEFAULT)
    })
}
