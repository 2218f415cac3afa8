//! A directory, a kind of store, and guests in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use iommap::{
    AsyncOptions, Counters, FsPerms, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView, Usage,
};
pub use iommap_commands::{fnv, shown};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wasmtime::component::{
    Component, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower, ResourceTable,
    TypedFunc,
};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// How large `Kind::Offloading` lets a read or write be on the executor's thread.
pub const OFFLOAD_ABOVE: u64 = 64;

/// The granted directory, as guests see it.
pub const DATA: &str = "/data";

/// A kind of store, and the way that iommap was added to its linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `add_to_linker`, and an engine without the component model's concurrency.
    Sync,
    /// `add_to_linker` on a store that is called asynchronously, and an engine as wasmtime makes
    /// it by default.
    Blocking,
    /// `add_to_linker_async`, and an engine as wasmtime makes it by default.
    Async,
    /// `add_to_linker_async_with`, so that all but small reads and writes leave the executor's
    /// thread.
    Offloading,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 4] = [Kind::Sync, Kind::Blocking, Kind::Async, Kind::Offloading];

    /// The engine of this kind's stores.
    pub fn engine(self) -> &'static Engine {
        static PLAIN: LazyLock<Engine> = LazyLock::new(|| engine(false));
        static CONCURRENT: LazyLock<Engine> = LazyLock::new(|| engine(true));
        match self {
            Kind::Sync | Kind::Offloading => &PLAIN,
            Kind::Blocking | Kind::Async => &CONCURRENT,
        }
    }

    /// A linker with iommap and WASI.
    pub fn linker(self) -> Linker<State> {
        let mut linker = Linker::new(self.engine());
        match self {
            Kind::Sync | Kind::Blocking => {
                iommap::wasi::add_to_linker(&mut linker, State::iommap, State::table)
            }
            Kind::Async | Kind::Offloading => {
                iommap::wasi::add_to_linker_async(&mut linker, State::iommap, State::table)
            }
        }
        .expect("a linker");
        let (get, table) = (State::iommap, State::table);
        match self {
            Kind::Sync | Kind::Blocking => {
                iommap::wasi::add_open_files_to_linker(&mut linker, get, table)
            }
            Kind::Async | Kind::Offloading => {
                iommap::wasi::add_open_files_to_linker_async(&mut linker, get, table)
            }
        }
        .expect("a linker");
        match self {
            Kind::Sync | Kind::Blocking => {
                iommap::windows::add_to_linker(&mut linker, State::iommap)
            }
            Kind::Async | Kind::Offloading => {
                iommap::windows::add_to_linker_async(&mut linker, State::iommap)
            }
        }
        .expect("a linker");
        match self {
            Kind::Sync | Kind::Blocking => iommap::locks::add_to_linker(&mut linker, State::iommap),
            Kind::Async | Kind::Offloading => {
                iommap::locks::add_to_linker_async(&mut linker, State::iommap)
            }
        }
        .expect("a linker");
        let done = match self {
            Kind::Sync => iommap::add_to_linker(&mut linker, State::iommap)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_sync(&mut linker)),
            Kind::Blocking => iommap::add_to_linker(&mut linker, State::iommap)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker)),
            // The one kind of engine that can also serve WASI 0.3.
            Kind::Async => iommap::add_to_linker_async(&mut linker, State::iommap)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker))
                .and_then(|()| wasmtime_wasi::p3::add_to_linker(&mut linker)),
            Kind::Offloading => {
                let mut options = AsyncOptions::default();
                options.offload_above = Some(OFFLOAD_ABOVE);
                iommap::add_to_linker_async_with(&mut linker, options, State::iommap)
                    .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker))
            }
        };
        done.expect("a linker");
        linker
    }

    /// The guest on the Rust guest crate, for this kind's engine.
    pub fn rustic(self) -> &'static Component {
        static RUSTIC: LazyLock<[Component; 4]> = LazyLock::new(|| {
            let component =
                |kind: Kind| Component::from_file(kind.engine(), iommap_artifacts::guest("rustic"));
            Kind::ALL.map(|kind| component(kind).expect("the guest on the Rust guest crate"))
        });
        &RUSTIC[self as usize]
    }

    /// The guest with windows on the Rust guest crate, for this kind's engine.
    fn viewer(self) -> &'static Component {
        static VIEWER: LazyLock<[Component; 4]> = LazyLock::new(|| {
            let component =
                |kind: Kind| Component::from_file(kind.engine(), iommap_artifacts::guest("viewer"));
            Kind::ALL.map(|kind| component(kind).expect("the guest with windows"))
        });
        &VIEWER[self as usize]
    }

    /// The driver in Rust.
    fn driver(self) -> &'static Driver {
        static DRIVERS: LazyLock<[Driver; 4]> = LazyLock::new(|| {
            Kind::ALL.map(|kind| Driver::load(kind, iommap_artifacts::guest("driver")))
        });
        &DRIVERS[self as usize]
    }
}

/// A driver in some language, compiled and linked.
pub struct Driver {
    kind: Kind,
    linked: InstancePre<State>,
}

impl Driver {
    /// A driver for stores of this kind.
    pub fn load(kind: Kind, path: impl AsRef<Path>) -> Driver {
        let component = Component::from_file(kind.engine(), path).expect("the driver");
        let linked = kind.linker().instantiate_pre(&component).expect("the driver's imports");
        Driver { kind, linked }
    }

    /// The kind of store that it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// An engine that finds what an earlier test program compiled.
fn engine(concurrency: bool) -> Engine {
    let mut config = Config::new();
    config.concurrency_support(concurrency);
    config.cache(Some(cache()));
    Engine::new(&config).expect("an engine")
}

/// What was compiled by whichever test, for the next.
pub fn cache() -> Cache {
    let mut config = CacheConfig::new();
    config.with_directory(iommap_artifacts::target_dir().join("compiled"));
    Cache::new(config).expect("a cache")
}

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

/// Tells a story once on each kind of store, each time in a fresh directory.
pub fn on_each_store(story: impl Fn(&Scene)) {
    for kind in Kind::ALL {
        let scene = Scene::new(kind);
        // Seen only if the story fails.
        println!("on a store of kind {kind:?}, in {}", scene.directory().display());
        story(&scene);
    }
}

/// A directory, and the kind of store that guests get.
pub struct Scene {
    kind: Kind,
    directory: TempDir,
}

impl Scene {
    /// A scene with an empty directory.
    pub fn new(kind: Kind) -> Scene {
        Scene { kind, directory: TempDir::new().expect("a directory") }
    }

    /// The kind of store that guests get.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The directory, which guests see as [`DATA`].
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A file's path, as the host sees it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Makes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file");
    }

    /// What is in a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    /// Gives a file this length, as another process might.
    pub fn cut(&self, name: &str, length: u64) {
        let file = File::options().write(true).open(self.path(name)).expect("a file");
        file.set_len(length).expect("a length");
    }

    /// The names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).expect("the directory");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A context that grants the directory for reading and writing.
    pub fn grant(&self) -> IommapCtxBuilder {
        self.grant_as(FsPerms::ReadWrite)
    }

    /// A context that grants the directory.
    pub fn grant_as(&self, perms: FsPerms) -> IommapCtxBuilder {
        let mut builder = IommapCtx::builder();
        builder.preopened_dir(self.directory(), DATA, perms).expect("a grant");
        builder
    }

    /// A driver with the directory, and limits as they are by default.
    pub fn guest(&self) -> Guest {
        self.guest_with(&mut self.grant())
    }

    /// A driver with this context.
    pub fn guest_with(&self, context: &mut IommapCtxBuilder) -> Guest {
        self.guest_of(self.kind.driver(), context)
    }

    /// A driver of whatever language, with this context.
    pub fn guest_of(&self, driver: &Driver, context: &mut IommapCtxBuilder) -> Guest {
        Host::new(driver.kind, context).into_guest(&driver.linked)
    }

    /// A guest on the Rust guest crate, with the directory. What it understands is in
    /// `tests/script/src/lib.rs`.
    pub fn rustic(&self) -> Guest {
        self.rustic_with(&mut self.grant(), |_| {})
    }

    /// The same with this context, and a linker in which something was changed.
    pub fn rustic_with(
        &self,
        context: &mut IommapCtxBuilder,
        change: impl FnOnce(&mut Linker<State>),
    ) -> Guest {
        self.guest_in(self.kind.rustic(), context, change)
    }

    /// A guest with windows and locks, on the Rust guest crate. What it understands is in
    /// `tests/script/src/windows.rs` and `locks.rs`.
    pub fn viewer(&self, context: &mut IommapCtxBuilder) -> Guest {
        self.guest_in(self.kind.viewer(), context, |_| {})
    }

    fn guest_in(
        &self,
        component: &Component,
        context: &mut IommapCtxBuilder,
        change: impl FnOnce(&mut Linker<State>),
    ) -> Guest {
        let mut linker = self.kind.linker();
        change(&mut linker);
        let linked = linker.instantiate_pre(component).expect("its imports");
        Host::new(self.kind, context).into_guest(&linked)
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

    fn into_guest(mut self, linked: &InstancePre<State>) -> Guest {
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

/// Fails unless a store has nothing in use.
#[track_caller]
pub fn assert_all_returned(usage: &Usage) {
    let used = usage.counters();
    assert_eq!((used.mappings, used.mapped_bytes, used.locked_bytes), (0, 0, 0), "{used:?}");
    assert_eq!((used.windows, used.window_bytes, used.locks), (0, 0, 0), "{used:?}");
}

/// Bytes none of which tells where it is by itself, but any few of which do.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// The size of a page of memory, in bytes.
pub fn page() -> u64 {
    rustix::param::page_size() as u64
}
