//! A store with what it holds, and a guest in it that does what it is told.

use std::sync::{Arc, LazyLock};

use iommap::{Counters, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView, Usage};
use tokio::runtime::Runtime;
use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower, ResourceTable,
    TypedFunc,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::Kind;

/// Where async stores run.
fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .expect("a tokio runtime")
    });
    &RUNTIME
}

/// What a store holds.
pub struct State {
    iommap: IommapCtx,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl State {
    /// The table of the store's resources.
    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
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

/// A store, and how to call what lives in it.
pub struct Host {
    kind: Kind,
    /// The store.
    pub store: Store<State>,
    usage: Arc<Usage>,
}

impl Host {
    /// A store of this kind with this context.
    pub fn new(kind: Kind, context: &mut IommapCtxBuilder) -> Host {
        let iommap = context.build();
        let usage = iommap.usage().clone();
        let mut wasi = WasiCtx::builder();
        context.preopen_into(&mut wasi).expect("the same directories");
        let wasi = wasi.inherit_stderr().build();
        let state = State { iommap, wasi, table: ResourceTable::new() };
        Host { kind, store: Store::new(kind.engine(), state), usage }
    }

    /// Brings a component to life.
    pub fn instantiate(&mut self, component: &Component) -> wasmtime::Result<Instance> {
        self.instantiate_with(component, |_| {})
    }

    /// The same, with a linker in which something was changed.
    pub fn instantiate_with(
        &mut self,
        component: &Component,
        change: impl FnOnce(&mut Linker<State>),
    ) -> wasmtime::Result<Instance> {
        let mut linker = self.kind.linker();
        change(&mut linker);
        let linked = linker.instantiate_pre(component)?;
        self.instantiate_linked(&linked)
    }

    fn instantiate_linked(&mut self, linked: &InstancePre<State>) -> wasmtime::Result<Instance> {
        match self.kind {
            Kind::Sync => linked.instantiate(&mut self.store),
            _ => runtime().block_on(linked.instantiate_async(&mut self.store)),
        }
    }

    pub(super) fn into_guest(mut self, linked: &InstancePre<State>) -> Guest {
        let step = self
            .instantiate_linked(linked)
            .and_then(|instance| instance.get_typed_func(&mut self.store, "step"))
            .expect("an instance");
        Guest { host: self, step }
    }

    /// Calls a guest's function in the way of this kind of store.
    pub fn call<P, R>(&mut self, function: &TypedFunc<P, R>, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        match self.kind {
            Kind::Sync => function.call(&mut self.store, params),
            _ => runtime().block_on(function.call_async(&mut self.store, params)),
        }
    }

    /// What the store uses, which outlives it.
    pub fn usage(&self) -> Arc<Usage> {
        self.usage.clone()
    }
}

/// A driver in a store of its own: does what it is told, a line at a time. What it understands is
/// in `tests/guests/driver/src/lib.rs`.
pub struct Guest {
    host: Host,
    step: TypedFunc<(String,), (String,)>,
}

impl Guest {
    /// What the guest answers to a command.
    #[track_caller]
    pub fn step(&mut self, command: &str) -> String {
        match self.try_step(command) {
            Ok(answer) => answer,
            Err(trap) => panic!("{command}: {trap:?}"),
        }
    }

    /// What the guest answers, or how it trapped.
    pub fn try_step(&mut self, command: &str) -> wasmtime::Result<String> {
        self.host.call(&self.step, (command.into(),)).map(|(answer,)| answer)
    }

    /// Tells the guest a command, as a call with the store in it, for whoever wants to drop both
    /// before it has answered. On an async store.
    pub fn into_call(
        mut self,
        command: &str,
    ) -> impl Future<Output = wasmtime::Result<String>> + Send {
        let params = (command.to_owned(),);
        async move {
            let (answer,) = self.step.call_async(&mut self.host.store, params).await?;
            Ok(answer)
        }
    }

    /// Tells the guest each line's command, and compares its answer to what is behind the arrow.
    ///
    /// ```text
    /// open m /data/f read        -> ok
    /// position m                 -> ok 5
    /// ```
    #[track_caller]
    pub fn play(&mut self, transcript: &str) {
        for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some((command, expected)) = line.split_once("->") else {
                panic!("no answer is expected to {line:?}")
            };
            let (command, expected) = (command.trim(), expected.trim());
            assert_eq!(self.step(command), expected, "{command} ({:?})", self.host.kind);
        }
    }

    /// The store's context, as its embedder may change it while the guest lives.
    pub fn context(&mut self) -> &mut IommapCtx {
        self.host.store.data_mut().iommap().ctx
    }

    /// What the store uses and did so far.
    pub fn counters(&self) -> Counters {
        self.host.usage.counters()
    }

    /// What the store uses, which outlives it.
    pub fn usage(&self) -> Arc<Usage> {
        self.host.usage()
    }
}
