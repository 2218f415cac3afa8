//! `iommap-server`: an HTTP server that runs a `wasi:http/proxy` component for each request, with
//! files mapped through iommap.
//!
//! Reading order, after [`args`] (what can be set) and [`values`] (how it is written):
//!
//! - a request: [`server`] (what requests share), [`serve`](mod@serve) (connections, and how they
//!   end), [`guests`] (from a request to its answer), [`places`] (how many at once, and those that
//!   hang), [`guest`] (one guest), [`body`] (an answer that breaks off), [`failure`] (why there is
//!   none), [`answers`] and [`page`] (what the server says itself);
//! - a store: [`engine`] (wasmtime, set up for many short-lived instances), [`state`] (what a store
//!   holds), [`directories`] (what it is granted);
//! - what lasts longer: [`keeper`] (files that stay mapped), [`metrics`], [`usages`] and [`history`]
//!   (what is counted), [`log`], [`signals`] and [`check`] (`--check`).

mod answers;
mod args;
mod body;
mod check;
mod directories;
mod engine;
mod failure;
mod guest;
mod guests;
mod history;
mod keeper;
mod log;
mod metrics;
mod page;
mod places;
mod serve;
mod server;
mod signals;
mod state;
mod usages;
mod values;

use anyhow::{Context, Result};
use args::Args;
use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

/// Threads beside those of requests that may wait for something.
const OTHER_THREADS: usize = 16;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = if args.check {
        check::check(args.listen).map(|(ready, answer)| {
            println!("{answer}");
            ExitCode::from(u8::from(!ready))
        })
    } else {
        log::start(args.log_format);
        // Requests that were cut off: whoever watches the process may want to know.
        serve(&args).map(|drained| ExitCode::from(if drained { 0 } else { 3 }))
    };
    done.unwrap_or_else(|error| {
        eprintln!("iommap-server: {error:#}");
        ExitCode::FAILURE
    })
}

/// Serves until a signal says stop. Tells whether every request was answered.
fn serve(args: &Args) -> Result<bool> {
    let metrics = Arc::new(metrics::Metrics::new());
    let guests = guests::Guests::new(args, metrics.clone())?;
    let keeper = keeper::Keeper::start(args)?;
    let server = Arc::new(server::Server::new(guests, metrics, keeper));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = args.threads {
        runtime.worker_threads(threads.get());
    }
    // Each request has a thread while it runs, and one that hangs keeps it.
    runtime.max_blocking_threads(args.all_instances() as usize + OTHER_THREADS);
    let runtime = runtime.enable_all().build().context("no threads can be started")?;
    let drained = runtime.block_on(server.run(args))?;
    // A guest that never ends is not waited for.
    runtime.shutdown_background();
    Ok(drained)
}
