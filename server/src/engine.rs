//! wasmtime, set up for many instances that live for one request each.

use crate::args::Args;
use anyhow::{Context, Result, anyhow};
use std::thread;
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{Cache, Config, Enabled, Engine, PoolingAllocationConfig};

/// How often a running guest looks at the clock.
const TICK: Duration = Duration::from_millis(5);

/// What a component may be made of: a compiler's output is three or four modules with one memory.
const CORE_INSTANCES: u32 = 10;
const MEMORIES: u32 = 2;
const TABLES: u32 = 4;

/// How much of a slot is zeroed by hand when an instance goes, and stays in memory. Giving it back
/// to the kernel and faulting it in again costs each request more than all it does.
const KEEP: usize = 256 << 10;

/// Compiles the component, in an engine whose instances come from a pool.
pub(crate) fn compile(args: &Args) -> Result<Component> {
    let path = args.component();
    let path = path.display();
    let mut config = Config::new();
    // Each call of a guest is about 100 ns faster; nothing here needs the component model's async.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // Without wasmtime's feature `gc` a call through a type of that proposal ends the process.
    config.wasm_gc(false);
    config.allocation_strategy(pool(args));
    // Compiling takes seconds where nothing is kept. No cache is no reason not to serve.
    match Cache::from_file(None) {
        Ok(cache) => drop(config.cache(Some(cache))),
        Err(error) => tracing::warn!("compiled components are not kept: {error:#}"),
    }
    let engine = Engine::new(&config)
        .map_err(|error| anyhow!("this machine cannot hold the pool of instances: {error:#}"))?;
    let binary = std::fs::read(args.component()).with_context(|| format!("cannot read {path}"))?;
    let component = Component::from_binary(&engine, &binary)
        .map_err(|error| anyhow!("{path} is not a component that can be run here: {error:#}"))?;
    start_ticking(&engine)?;
    Ok(component)
}

fn pool(args: &Args) -> PoolingAllocationConfig {
    let instances = args.all_instances();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(args.max_memory)
        .linear_memory_keep_resident(KEEP)
        .table_keep_resident(KEEP)
        .async_stack_keep_resident(KEEP)
        // Of memory that starts with an image, only what was written is put back (Linux 6.7).
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Has the guests of an engine look at the clock, for as long as the engine exists.
fn start_ticking(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    let builder = thread::Builder::new().name("ticker".to_owned());
    builder.spawn(ticker).map(drop).context("no thread can be started to keep the time")
}
