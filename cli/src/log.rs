//! The log: on stderr, and of nothing but warnings unless more is asked for. What is not shown of
//! it is counted, so that whoever wonders learns that there is something to be seen.

use crate::terminal;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, filter, fmt};

/// Where the filter is taken from, in this order.
const VARIABLES: [&str; 2] = ["IOMMAP_LOG", "RUST_LOG"];

const DEFAULT: &str = "warn";

/// How many calls of the component were refused so far, and were not in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<AtomicU64>);

impl Refusals {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl<S: Subscriber> Layer<S> for Refusals {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Starts logging. `verbose` counts the `-v` on the command line.
pub(crate) fn start(verbose: u8) -> Refusals {
    let (filter, is_default) = filter(verbose);
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // The calls of a component are spans: at its end each says how long it took.
    let shown = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_span_events(FmtSpan::CLOSE)
        .with_filter(filter);
    let refusals = Refusals::default();
    let refused = filter::filter_fn(is_refusal).with_max_level_hint(LevelFilter::DEBUG);
    let counted = is_default.then(|| refusals.clone().with_filter(refused));
    tracing_subscriber::registry().with(shown).with(counted).init();
    refusals
}

/// Does the library say by this that it refused a call?
fn is_refusal(event: &Metadata<'_>) -> bool {
    let has = |name| event.fields().field(name).is_some();
    event.is_event() && event.target().starts_with("iommap") && has("call") && has("code")
}

/// What is shown, and whether nobody asked for anything.
fn filter(verbose: u8) -> (EnvFilter, bool) {
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
        Ok(filter) => (filter, name.is_empty()),
        Err(error) => {
            terminal::warn(format_args!(
                "{name}={text} is not a filter ({error}): write a level such as debug, or \
                 iommap=debug; only warnings are logged"
            ));
            (EnvFilter::new(DEFAULT), true)
        }
    }
}
