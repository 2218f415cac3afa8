//! What a plugin's store holds, and what the plugin may use.

use iommap::{FsPerms, IommapCtx, IommapCtxView, IommapView};
use std::thread;
use std::time::Duration;
use wasmtime::component::ResourceTable;
use wasmtime::{Config, Engine, Result, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// How often a plugin that is busy is looked at.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

impl State {
    /// The first call of the plugin to iommap that was refused, and why: it may be why it failed.
    pub(crate) fn first_refusal(&self) -> Option<String> {
        self.iommap.usage().first_refusal().map(ToString::to_string)
    }
}

/// What becomes of a plugin that computes for long.
pub(crate) enum Mode {
    /// It is ended, as by a trap.
    Ends(Duration),
    /// It makes room for others.
    Yields,
}

/// An engine whose plugins can be interrupted.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    // `gc` is a feature of wasmtime that this host is built without.
    config.epoch_interruption(true).wasm_gc(false);
    let engine = Engine::new(&config)?;
    let clock = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = clock.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
    Ok(engine)
}

/// A store for one call, in which the plugin sees `dir` as `/data`.
pub(crate) fn store(engine: &Engine, dir: &str, mode: Mode) -> Result<Store<State>> {
    let iommap = IommapCtx::builder()
        .name("plugin")
        .preopened_dir(dir, "/data", FsPerms::ReadOnly)?
        .max_mappings(16)
        .max_mapped_bytes(64 << 30)
        .build();
    let wasi = WasiCtx::builder().inherit_stdout().inherit_stderr().build();
    let limits = StoreLimitsBuilder::new().memory_size(64 << 20).build();
    let mut store = Store::new(engine, State { wasi, iommap, table: ResourceTable::new(), limits });
    store.limiter(|state| &mut state.limits);
    match mode {
        Mode::Ends(patience) => {
            store.set_epoch_deadline((patience.as_millis() / TICK.as_millis()) as u64);
        }
        Mode::Yields => {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
    }
    Ok(store)
}
