//! The guest with windows, linked for both kinds of store.

use iommap::{IommapCtx, IommapCtxView, IommapView};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

pub(crate) struct Engines {
    pub(super) engine: Engine,
    pub(super) sync: InstancePre<State>,
    pub(super) waiting: InstancePre<State>,
}

pub(super) struct State {
    pub(super) iommap: IommapCtx,
    pub(super) wasi: WasiCtx,
    pub(super) table: ResourceTable,
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Engines {
    pub(crate) fn new() -> Result<Engines> {
        let mut config = Config::new();
        config.concurrency_support(false);
        config.epoch_interruption(true);
        let engine = Engine::new(&config)?;
        iommap::windows::supported(&engine)?;
        let guest = Component::from_file(&engine, iommap_artifacts::guest("onlooker"))?;
        let link = |add: fn(&mut Linker<State>) -> Result<()>| {
            let mut linker = Linker::new(&engine);
            add(&mut linker)?;
            linker.instantiate_pre(&guest)
        };
        Ok(Engines {
            sync: link(|linker| {
                iommap::add_to_linker(linker, State::iommap)?;
                iommap::windows::add_to_linker(linker, State::iommap)?;
                wasmtime_wasi::p2::add_to_linker_sync(linker)
            })?,
            waiting: link(|linker| {
                iommap::add_to_linker_async(linker, State::iommap)?;
                iommap::windows::add_to_linker_async(linker, State::iommap)?;
                wasmtime_wasi::p2::add_to_linker_async(linker)
            })?,
            engine,
        })
    }

    /// Moves the epoch on.
    pub(crate) fn tick(&self) {
        self.engine.increment_epoch();
    }
}
