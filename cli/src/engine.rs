//! The engine that compiles and runs components, and its cache.

use crate::component;
use crate::terminal;
use anyhow::{Result, anyhow};
use std::path::Path;
use std::time::Duration;
use tracing::debug;
use wasmtime::component::Component;
use wasmtime::{Cache, Config, Engine};

/// How often a guest that may run only for a time looks at the clock.
const TICK: Duration = Duration::from_millis(10);

/// What is wanted of an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// Keep compiled components, and take them from where they are kept.
    pub(crate) cache: bool,
    /// Guests can be interrupted.
    pub(crate) interrupt: bool,
}

/// Compiles the component in a file, in an engine of its own.
///
/// A host that can serve a component's async functions makes each call slower, so it is done
/// only for a component that has some.
pub(crate) fn compile(path: &Path, needs: Needs) -> Result<Component> {
    let binary = component::read(path)?;
    let cache = if needs.cache { open_cache() } else { None };
    let engine = |concurrency| new_engine(needs, cache.clone(), concurrency);
    let first = match Component::from_binary(&engine(false)?, &binary) {
        Ok(component) => return Ok(component),
        Err(error) => error,
    };
    debug!("compiling again, with async functions: {first:#}");
    let second = Component::from_binary(&engine(true)?, &binary);
    second.map_err(|error| component::not_compiled(path, &error))
}

fn new_engine(needs: Needs, cache: Option<Cache>, concurrency: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.concurrency_support(concurrency);
    config.epoch_interruption(needs.interrupt);
    config.cache(cache);
    Engine::new(&config)
        .map_err(|error| anyhow!("this machine cannot run WebAssembly as it is set up: {error:#}"))
}

/// wasmtime's own cache, where its configuration says. None is no reason to run nothing.
fn open_cache() -> Option<Cache> {
    match Cache::from_file(None) {
        Ok(cache) => Some(cache),
        Err(error) => {
            terminal::warn(format_args!(
                "compiled components are not kept ({error:#}): set XDG_CACHE_HOME to a directory \
                 that can be written to, or pass --no-cache"
            ));
            None
        }
    }
}

/// Has the guests of an engine look at the clock from time to time, for as long as it exists.
pub(crate) fn start_ticking(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(|error| anyhow!("no thread can be started to keep the time: {error}"))
}
