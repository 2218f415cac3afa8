//! `iommap-server`: an HTTP server that runs a `wasi:http/proxy` component for each request, with
//! files mapped through iommap.
//!
//! Reading order: [`args`] (what can be set), [`engine`] (wasmtime, set up for many short-lived
//! instances), [`guests`] (a request, from its instance to its answer), [`state`] (what a guest's
//! store holds), [`keeper`] (files that stay mapped), [`serve`] (connections, and how they end), [`answers`] (what the server says
//! itself), [`metrics`] (what is counted) and [`log`].

mod answers;
mod args;
mod engine;
mod guests;
mod keeper;
mod log;
mod metrics;
mod serve;
mod state;

use anyhow::{Context, Result};
use args::Args;
use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let args = Args::parse();
    log::start(args.log_format);
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        // Requests were cut off: whoever watches the process may want to know.
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("iommap-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal says stop. Tells whether every request was answered.
fn run(args: &Args) -> Result<bool> {
    let metrics = Arc::new(metrics::Metrics::default());
    let guests = Arc::new(guests::Guests::new(args, metrics.clone())?);
    keeper::start(args)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = args.threads {
        runtime.worker_threads(threads.get());
    }
    let runtime = runtime.enable_all().build().context("no threads can be started")?;
    let drained = runtime.block_on(serve::serve(args, guests, metrics))?;
    // A guest that never ends is not waited for.
    runtime.shutdown_background();
    Ok(drained)
}
