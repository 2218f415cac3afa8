//! What the server has for as long as it runs.

use crate::guests::Guests;
use crate::history::History;
use crate::keeper::Keeper;
use crate::metrics::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What the requests of all connections share.
pub(crate) struct Server {
    pub(crate) guests: Arc<Guests>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keeper: Keeper,
    pub(crate) history: History,
    /// How many there were.
    pub(crate) requests: AtomicU64,
    pub(crate) stopping: AtomicBool,
}

impl Server {
    pub(crate) fn new(guests: Guests, metrics: Arc<Metrics>, keeper: Keeper) -> Server {
        Server {
            guests: Arc::new(guests),
            metrics,
            keeper,
            history: History::new(),
            requests: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// Has a signal said stop?
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }
}
