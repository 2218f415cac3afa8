//! Every way to embed: both allocators, sync and async, with the component model's concurrency and
//! without, with a table that WASI shares and with one of its own. Each with epochs, fuel and a
//! limiter, as a runtime that runs strangers' plugins has them.

use std::fs;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use iommap::{
    AsyncOptions, Counters, Error, FsPerms, Grants, IommapCtx, IommapCtxBuilder, IommapCtxView,
    IommapView, Limits, Mapping, MappingHandle, Usage,
};
use iommap_artifacts::guest;
use iommap_tests::scene::{assert_all_returned, cache};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, Linker, ResourceTable, TypedFunc};
use wasmtime::{
    Config, Engine, PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder, Trap,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// More fuel than any honest call here needs.
const FUEL: u64 = 10_000_000;

struct State {
    wasi: WasiCtx,
    iommap: IommapCtx,
    table: ResourceTable,
    /// Where mappings are, if that is not `table`.
    own: Option<ResourceTable>,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        let table = self.own.as_mut().unwrap_or(&mut self.table);
        IommapCtxView { ctx: &mut self.iommap, table }
    }
}

/// A way to embed.
#[derive(Clone, Copy, Debug)]
struct Way {
    pooling: bool,
    concurrency: bool,
    calls_are_async: bool,
    own_table: bool,
}

impl Way {
    fn all() -> impl Iterator<Item = Way> {
        let bit = |n: u32, bit: u32| n & (1 << bit) != 0;
        (0..16).map(move |n| Way {
            pooling: bit(n, 0),
            concurrency: bit(n, 1),
            calls_are_async: bit(n, 2),
            own_table: bit(n, 3),
        })
    }

    fn engine(self) -> Engine {
        let mut config = Config::new();
        config.concurrency_support(self.concurrency);
        config.epoch_interruption(true).consume_fuel(true);
        config.cache(Some(cache()));
        if self.pooling {
            let mut pool = PoolingAllocationConfig::new();
            pool.total_memories(4).total_tables(8).total_stacks(4).total_core_instances(16);
            pool.max_memory_size(64 << 20);
            config.allocation_strategy(pool);
        }
        Engine::new(&config).unwrap()
    }

    fn linker(self, engine: &Engine) -> Linker<State> {
        let mut linker = Linker::new(engine);
        if self.calls_are_async {
            wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
            iommap::add_to_linker_async(&mut linker, State::iommap).unwrap();
            iommap::locks::add_to_linker_async(&mut linker, State::iommap).unwrap();
            iommap::atomics::add_to_linker_async(&mut linker, State::iommap).unwrap();
            iommap::changes::add_to_linker_async(&mut linker, State::iommap).unwrap();
            iommap::storage::add_to_linker_async(&mut linker, State::iommap).unwrap();
            iommap::wasi::add_to_linker_async(&mut linker, State::iommap, |state| &mut state.table)
                .unwrap();
        } else {
            wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
            iommap::add_to_linker(&mut linker, State::iommap).unwrap();
            iommap::locks::add_to_linker(&mut linker, State::iommap).unwrap();
            iommap::atomics::add_to_linker(&mut linker, State::iommap).unwrap();
            iommap::changes::add_to_linker(&mut linker, State::iommap).unwrap();
            iommap::storage::add_to_linker(&mut linker, State::iommap).unwrap();
            iommap::wasi::add_to_linker(&mut linker, State::iommap, |state| &mut state.table)
                .unwrap();
        }
        linker
    }
}

/// The driver in a store, called in this way.
struct Guest {
    way: Way,
    store: Store<State>,
    step: TypedFunc<(String,), (String,)>,
    runtime: Arc<Runtime>,
}

impl Guest {
    fn new(way: Way, engine: &Engine, linker: &Linker<State>, dir: &TempDir) -> Guest {
        let mut iommap = IommapCtx::builder();
        iommap.preopened_dir(dir.path(), "/data", FsPerms::ReadWrite).unwrap();
        Guest::of(way, engine, linker, &mut iommap)
    }

    fn of(
        way: Way,
        engine: &Engine,
        linker: &Linker<State>,
        iommap: &mut IommapCtxBuilder,
    ) -> Guest {
        let mut wasi = WasiCtx::builder();
        iommap.preopen_into(&mut wasi).unwrap();
        let state = State {
            wasi: wasi.build(),
            iommap: iommap.build(),
            table: ResourceTable::new(),
            own: way.own_table.then(ResourceTable::new),
            limits: StoreLimitsBuilder::new().memory_size(8 << 20).instances(8).build(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_fuel(FUEL).unwrap();
        store.set_epoch_deadline(1);
        let driver = Component::from_file(engine, guest("driver")).unwrap();
        let runtime = Arc::new(Runtime::new().unwrap());
        let instance = if way.calls_are_async {
            runtime.block_on(linker.instantiate_async(&mut store, &driver)).unwrap()
        } else {
            linker.instantiate(&mut store, &driver).unwrap()
        };
        let step = instance.get_typed_func(&mut store, "step").unwrap();
        Guest { way, store, step, runtime }
    }

    fn try_step(&mut self, command: &str) -> wasmtime::Result<String> {
        let params = (command.to_owned(),);
        let answer = if self.way.calls_are_async {
            self.runtime.block_on(self.step.call_async(&mut self.store, params))
        } else {
            self.step.call(&mut self.store, params)
        };
        answer.map(|(answer,)| answer)
    }

    #[track_caller]
    fn play(&mut self, transcript: &str) {
        for line in transcript.lines().filter(|line| !line.trim().is_empty()) {
            let (command, expected) = line.split_once("->").unwrap();
            let answer = self.try_step(command.trim());
            assert_eq!(answer.unwrap(), expected.trim(), "{command} ({:?})", self.way);
        }
    }
}

#[test]
fn every_way_to_embed_serves_guests_within_their_limits() {
    for way in Way::all() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("f"), "hello").unwrap();
        let engine = way.engine();
        let linker = way.linker(&engine);

        let mut guest = Guest::new(way, &engine, &linker, &dir);
        let usage = guest.store.data().iommap.usage().clone();
        guest.play(
            "
            open m /data/f read-write               -> ok
            pwrite m 0 text:J                       -> ok
            pread-many m 0+1,4+1                    -> ok hex:4a6f
            sync m sync                             -> ok
            truncate m 6                            -> ok
            wasi-open fd /data/f read               -> ok
            map d fd read                           -> ok
            wasi-drop fd                            -> ok
            pread d 0 6                             -> ok hex:4a656c6c6f00
            alloc 1000000                           -> ok
            alloc 16000000                          -> bad there is no memory
            close m                                 -> ok
            ",
        );
        assert_eq!(usage.counters().mappings, 1, "{way:?}");
        // A guest that never ends, ended by fuel.
        guest.store.set_fuel(1_000_000).unwrap();
        let error = guest.try_step("spin").unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel), "{way:?}");
        drop(guest);
        assert_all_returned(&usage);

        // And one that the clock ends.
        let mut guest = Guest::new(way, &engine, &linker, &dir);
        let usage = guest.store.data().iommap.usage().clone();
        guest.play("open m /data/f read -> ok");
        guest.store.set_fuel(u64::MAX).unwrap();
        engine.increment_epoch();
        let error = guest.try_step("spin").unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{way:?}");
        drop(guest);
        assert_all_returned(&usage);
    }
}

#[test]
fn each_guest_of_a_pool_finds_it_empty() {
    let way = Way { pooling: true, concurrency: false, calls_are_async: false, own_table: false };
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("f"), "hello").unwrap();
    let engine = way.engine();
    let linker = way.linker(&engine);
    // Far more than the pool holds at once.
    for _ in 0..40 {
        let mut guest = Guest::new(way, &engine, &linker, &dir);
        guest.play("open m /data/f read -> ok");
        guest.play("pread m 0 5 -> ok hex:68656c6c6f");
        assert_eq!(guest.store.data().iommap.counters().mappings, 1);
    }
}

#[test]
fn a_spawned_async_store_runs_on_any_thread() {
    let way = Way { pooling: false, concurrency: true, calls_are_async: true, own_table: false };
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("f"), "hello").unwrap();
    let engine = way.engine();
    let mut guest = Guest::new(way, &engine, &way.linker(&engine), &dir);
    let runtime = guest.runtime.clone();
    // `spawn` takes only what is `Send`, and so is the store with everything in it.
    let task = runtime.spawn(async move {
        let mut answers = Vec::new();
        for command in ["open m /data/f read", "pread m 0 2", "close m"] {
            let call = guest.step.call_async(&mut guest.store, (command.to_owned(),));
            answers.push(call.await.unwrap().0);
        }
        answers
    });
    assert_eq!(runtime.block_on(task).unwrap(), ["ok", "ok hex:6865", "ok"]);
}

#[test]
fn a_call_that_needs_a_runtime_fails_without_one_and_does_not_panic() {
    let way = Way { pooling: false, concurrency: false, calls_are_async: true, own_table: false };
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("f"), "hello").unwrap();
    let engine = way.engine();
    let mut guest = Guest::new(way, &engine, &way.linker(&engine), &dir);
    let call = guest.step.call_async(&mut guest.store, ("open m /data/f read".to_owned(),));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(answer) = pin!(call).poll(&mut context) else { panic!("it waits for nobody") };
    let error = answer.unwrap_err();
    assert!(format!("{error:#}").contains("outside of a tokio runtime"), "{error:#}");
    let usage = guest.store.data().iommap.usage().clone();
    drop(guest);
    assert_all_returned(&usage);
}

#[test]
fn what_a_runtime_moves_between_threads_may_be_moved() {
    fn send<T: Send>() {}
    fn share<T: Send + Sync>() {}
    send::<IommapCtx>();
    send::<IommapCtxBuilder>();
    send::<IommapCtxView<'_>>();
    send::<State>();
    send::<Store<State>>();
    share::<Mapping>();
    share::<MappingHandle>();
    share::<Usage>();
    share::<Grants>();
    share::<Limits>();
    share::<Counters>();
    share::<Error>();
    share::<AsyncOptions>();
    share::<Linker<State>>();
}

#[test]
fn wasi_gets_the_very_directories_that_were_granted() {
    let around = TempDir::new().unwrap();
    let (granted, moved) = (around.path().join("granted"), around.path().join("moved"));
    fs::create_dir(&granted).unwrap();
    fs::write(granted.join("f"), "granted").unwrap();
    let mut iommap = IommapCtx::builder();
    iommap.preopened_dir(&granted, "/data", FsPerms::ReadOnly).unwrap();
    // What its path leads to now was never granted.
    fs::rename(&granted, &moved).unwrap();
    fs::create_dir(&granted).unwrap();
    fs::write(granted.join("f"), "another").unwrap();

    let way = Way { pooling: false, concurrency: false, calls_are_async: false, own_table: false };
    let engine = way.engine();
    let mut guest = Guest::of(way, &engine, &way.linker(&engine), &mut iommap);
    let by_wasi = if cfg!(target_os = "linux") { "granted" } else { "another" };
    for (command, expected) in [
        ("open m /data/f read", "ok".to_owned()),
        ("pread m 0 7", format!("ok hex:{}", hex("granted"))),
        ("wasi-open fd /data/f read", "ok".to_owned()),
        ("map d fd read", "ok".to_owned()),
        ("pread d 0 7", format!("ok hex:{}", hex(by_wasi))),
    ] {
        assert_eq!(guest.try_step(command).unwrap(), expected, "{command}");
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
