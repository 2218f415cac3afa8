//! Windows under stress: guests that look at files through pages of them in their own memory, and
//! store there, while another process cuts one file between pages ([`cutter`]) and the vandals destroy
//! the other. Their stores end in every way there is ([`stores`]), and each byte that a guest sees is
//! one that may stand there, or its guest is told that a page was lost ([`seen`](crate::seen)).

pub(crate) mod cutter;
mod engines;
mod stores;

pub(crate) use engines::Engines;
use stores::{Plan, Worker};

use crate::totals::Totals;
use crate::vandal::{FILE, PAGES};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use wasmtime::Result;

/// What the threads do. The first one is to come to all ends that a store has.
const WORKERS: [Worker; 10] = [
    Worker::Strict,
    Worker::Strict,
    Worker::Strict,
    Worker::Strict,
    Worker::Strict,
    Worker::Strict,
    Worker::Destroyed,
    Worker::Interrupted,
    Worker::Trapping,
    Worker::Dropped,
];

/// Starts the threads with windows.
pub(crate) fn start(
    engines: &Arc<Engines>,
    directory: &Path,
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Result<Totals>>> {
    let owners = WORKERS.len() as u64;
    let start = |(owner, worker)| {
        let (file, pages) = match worker {
            Worker::Destroyed => (FILE, PAGES),
            _ => (cutter::FILE, cutter::PAGES),
        };
        let plan =
            Plan { worker, directory: directory.to_owned(), file, pages, seed, owner, owners };
        let (engines, stop) = (engines.clone(), stop.clone());
        thread::spawn(move || plan.carry_out(&engines, &stop))
    };
    (0..).zip(WORKERS).map(start).collect()
}
