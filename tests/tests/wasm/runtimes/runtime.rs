//! A runtime as others write them: nothing in it knows of iommap.

use iommap_tests::scene::cache;
use std::any::Any;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, TypedFunc};
use wasmtime::{Config, Engine, Result, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

/// What every store has.
pub(super) struct Ctx {
    /// Which workload it runs.
    pub(super) workload: String,
    pub(super) table: ResourceTable,
    wasi: WasiCtx,
    plugins: Plugins,
}

type Plugins = Arc<HashMap<&'static str, Arc<dyn Any + Send + Sync>>>;

impl Ctx {
    pub(super) fn plugin<P: Any + Send + Sync>(&self, id: &str) -> Option<Arc<P>> {
        self.plugins.get(id)?.clone().downcast().ok()
    }
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What may be added to the runtime.
pub(super) trait Plugin: Any + Send + Sync {
    fn id(&self) -> &'static str;
    /// Adds to a workload's linker what the plugin provides.
    fn bind(&self, linker: &mut Linker<Ctx>) -> Result<()>;
}

pub(super) struct Runtime {
    engine: Engine,
    linker: Linker<Ctx>,
    plugins: Plugins,
}

impl Runtime {
    pub(super) fn new<P: Plugin>(plugin: Arc<P>) -> Result<Runtime> {
        let mut config = Config::new();
        config.cache(Some(cache()));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        plugin.bind(&mut linker)?;
        let id = plugin.id();
        let plugin: Arc<dyn Any + Send + Sync> = plugin;
        Ok(Runtime { engine, linker, plugins: Arc::new(HashMap::from([(id, plugin)])) })
    }

    pub(super) fn load(&self, file: &str) -> Result<InstancePre<Ctx>> {
        self.linker.instantiate_pre(&Component::from_file(&self.engine, file)?)
    }

    /// Starts a workload in a store of its own.
    pub(super) async fn start(&self, name: &str, component: &InstancePre<Ctx>) -> Result<Workload> {
        self.start_with(name, component, WasiCtx::builder().build()).await
    }

    /// The same, with a directory to be read through WASI as `/data`.
    pub(super) async fn start_in(
        &self,
        name: &str,
        component: &InstancePre<Ctx>,
        dir: &Path,
    ) -> Result<Workload> {
        let mut wasi = WasiCtx::builder();
        wasi.preopened_dir(dir, "/data", FsPerms::ReadOnly)?;
        self.start_with(name, component, wasi.build()).await
    }

    async fn start_with(
        &self,
        name: &str,
        component: &InstancePre<Ctx>,
        wasi: WasiCtx,
    ) -> Result<Workload> {
        let ctx = Ctx {
            workload: name.to_owned(),
            table: ResourceTable::new(),
            wasi,
            plugins: self.plugins.clone(),
        };
        let mut store = Store::new(&self.engine, ctx);
        let instance = component.instantiate_async(&mut store).await?;
        let step = instance.get_typed_func(&mut store, "step")?;
        Ok(Workload { store, step })
    }
}

/// The driver, in a store.
pub(super) struct Workload {
    store: Store<Ctx>,
    step: TypedFunc<(String,), (String,)>,
}

impl Workload {
    pub(super) async fn step(&mut self, command: &str) -> Result<String> {
        Ok(self.step.call_async(&mut self.store, (command.to_owned(),)).await?.0)
    }
}
