//! The kinds of store that there are: their engines and linkers, and guests compiled for them.

use std::path::Path;
use std::sync::LazyLock;

use iommap::{AsyncOptions, Import, IommapView};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::State;

/// How large `Kind::Offloading` lets a read or write be on the executor's thread.
pub const OFFLOAD_ABOVE: u64 = 64;

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
        let import = Import::new(State::iommap)
            .with_wasi(State::table)
            .with_open_files(State::table)
            .with_windows()
            .with_locks()
            .with_storage()
            .with_changes()
            .with_atomics();
        let mut options = AsyncOptions::default();
        let done = match self {
            Kind::Sync => import
                .add_to_linker(&mut linker)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_sync(&mut linker)),
            Kind::Blocking => import
                .add_to_linker(&mut linker)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker)),
            // The one kind of engine that can also serve WASI 0.3.
            Kind::Async => import
                .add_to_linker_async(&mut linker, options)
                .and_then(|()| wasmtime_wasi::p2::add_to_linker_async(&mut linker))
                .and_then(|()| wasmtime_wasi::p3::add_to_linker(&mut linker)),
            Kind::Offloading => {
                options.offload_above = Some(OFFLOAD_ABOVE);
                import
                    .add_to_linker_async(&mut linker, options)
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
    pub(super) fn viewer(self) -> &'static Component {
        static VIEWER: LazyLock<[Component; 4]> = LazyLock::new(|| {
            let component =
                |kind: Kind| Component::from_file(kind.engine(), iommap_artifacts::guest("viewer"));
            Kind::ALL.map(|kind| component(kind).expect("the guest with windows"))
        });
        &VIEWER[self as usize]
    }

    /// The driver in Rust.
    pub(super) fn driver(self) -> &'static Driver {
        static DRIVERS: LazyLock<[Driver; 4]> = LazyLock::new(|| {
            Kind::ALL.map(|kind| Driver::load(kind, iommap_artifacts::guest("driver")))
        });
        &DRIVERS[self as usize]
    }
}

/// A driver in some language, compiled and linked.
pub struct Driver {
    pub(super) kind: Kind,
    pub(super) linked: InstancePre<State>,
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
