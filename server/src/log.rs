//! The log: on standard error, a line for each request and for everything out of the ordinary.

use crate::args::LogFormat;
use std::env;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Where the filter is taken from, in this order.
const VARIABLES: [&str; 2] = ["IOMMAP_LOG", "RUST_LOG"];

/// Requests are told of at `info`, and what they were asked at `debug`: addresses that are looked
/// up belong to people.
const DEFAULT: &str = "warn,iommap_server=info";

/// Starts logging.
pub(crate) fn start(format: LogFormat) {
    let set = |name: &&str| env::var(name).ok().filter(|text| !text.is_empty());
    let text = VARIABLES.iter().find_map(set);
    let (filter, mistake) = match EnvFilter::try_new(text.as_deref().unwrap_or(DEFAULT)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT), Some(error)),
    };
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
        LogFormat::Text => {
            log.with_ansi(io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none()).init()
        }
    }
    if let Some(error) = mistake {
        tracing::warn!(%error, default = DEFAULT, "the log's filter is none, so the default is used");
    }
}
