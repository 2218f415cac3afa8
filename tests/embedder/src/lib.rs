//! The smallest embedding of wasmtime with WASI, and of iommap beside it: `cargo xtask embedder`
//! counts what the feature `iommap` adds to its packages.

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What a store holds.
pub struct State {
    /// What WASI keeps of the store.
    pub wasi: WasiCtx,
    /// What iommap keeps of it.
    #[cfg(feature = "iommap")]
    pub iommap: iommap::IommapCtx,
    /// Where both keep their resources.
    pub table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Everything that a guest may import.
pub fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    #[cfg(feature = "iommap")]
    iommap::add_to_linker(&mut linker, |state: &mut State| iommap::IommapCtxView {
        ctx: &mut state.iommap,
        table: &mut state.table,
    })?;
    Ok(linker)
}
