//! The host around both guests: an engine, a linker, and stores that hold everything a guest may
//! import.

use iommap::{FsPerms, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView};
use std::path::Path;
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceType};
use wasmtime::{Config, Engine, Result, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What guests call the directory of the file.
pub(crate) const GUEST_DIR: &str = "/bench";
/// The file's name in it.
pub(crate) const FILE_NAME: &str = "data";

/// A store's data.
pub(crate) struct State {
    pub(crate) iommap: IommapCtx,
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
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

/// What the empty call with a borrowed resource borrows.
pub(crate) struct Thing(pub(crate) u64);

/// An engine and a linker, made once.
pub(crate) struct Embedding {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    /// One that has not heard of windows.
    pub(crate) without: Linker<State>,
}

/// More than all windows of a guest take.
const WINDOW_BYTES: u64 = 4 << 30;

/// As many as a process may have, nearly.
const WINDOWS: u64 = 8100;

impl Embedding {
    pub(crate) fn new() -> Result<Embedding> {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        iommap::add_to_linker(&mut linker, State::iommap)?;
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let mut calls = linker.instance("bench:host/calls")?;
        calls.resource("thing", ResourceType::host::<Thing>(), |mut store, rep| {
            store.data_mut().table.delete(Resource::<Thing>::new_own(rep))?;
            Ok(())
        })?;
        calls.func_wrap("empty", |_: StoreContextMut<'_, State>, (): ()| Ok(()))?;
        calls.func_wrap(
            "[method]thing.touch",
            |mut store: StoreContextMut<'_, State>, (this,): (Resource<Thing>,)| {
                store.data_mut().table.get_mut(&this)?.0 += 1;
                Ok(())
            },
        )?;
        let without = linker.clone();
        iommap::windows::add_to_linker(&mut linker, State::iommap)?;
        Ok(Embedding { engine, linker, without })
    }

    /// What a guest may map that may reach everything in `dir`, and has windows or not.
    pub(crate) fn context(&self, dir: &Path, windows: bool) -> Result<IommapCtxBuilder> {
        let mut context = IommapCtx::builder();
        context.preopened_dir(dir, GUEST_DIR, FsPerms::ReadWrite)?.max_mapped_bytes(8 << 40);
        if windows {
            context.max_windows(WINDOWS).max_handles(2 * WINDOWS).max_window_bytes(WINDOW_BYTES);
            // SAFETY: while a guest with windows runs, nobody writes to these files; and it tells the
            // host nothing that lies in a window.
            unsafe { context.windows_on_changing_files(true) };
        }
        Ok(context)
    }

    /// A store's data, without anything of WASI's.
    pub(crate) fn state(&self, iommap: IommapCtx) -> State {
        let wasi = WasiCtx::builder().build();
        State { iommap, wasi, table: ResourceTable::new() }
    }

    /// A store whose guest may have windows on everything in `dir`.
    pub(crate) fn store_with_windows(&self, dir: &Path) -> Result<Store<State>> {
        let iommap = self.context(dir, true)?.build();
        Ok(Store::new(&self.engine, self.state(iommap)))
    }

    /// A store whose guest may reach everything in `dir`. `blocking` is wasmtime-wasi's
    /// `allow_blocking_current_thread`.
    pub(crate) fn store(&self, dir: &Path, blocking: bool) -> Result<Store<State>> {
        let iommap =
            IommapCtx::builder().preopened_dir(dir, GUEST_DIR, FsPerms::ReadWrite)?.build();
        let wasi = WasiCtx::builder()
            .preopened_dir(dir, GUEST_DIR, wasmtime_wasi::FsPerms::ReadWrite)?
            .allow_blocking_current_thread(blocking)
            .build();
        Ok(Store::new(&self.engine, State { iommap, wasi, table: ResourceTable::new() }))
    }
}
