//! Guests that wait, for a lock or a change, and are to end: by their epoch, and by a future that is
//! dropped.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use iommap::{AsyncOptions, FsPerms, Import, IommapCtx, IommapCtxView, IommapView, Usage};
use iommap_artifacts::guest;
use iommap_tests::scene::{Guest, Kind, Scene, assert_all_returned, cache};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker, ResourceTable, TypedFunc};
use wasmtime::{Config, Engine, Store, Trap};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct State {
    iommap: IommapCtx,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl State {
    fn table(&mut self) -> &mut ResourceTable {
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

/// A guest whose epoch can end, in a store of one kind or the other.
pub(crate) struct Timed {
    store: Store<State>,
    step: TypedFunc<(String,), (String,)>,
    pub(crate) usage: Arc<Usage>,
    runtime: Option<Runtime>,
}

impl Timed {
    pub(crate) fn new(engine: &Engine, scene: &Scene, is_async: bool) -> Timed {
        let mut linker = Linker::new(engine);
        let import = Import::new(State::iommap)
            .with_wasi(State::table)
            .with_open_files(State::table)
            .with_windows()
            .with_locks()
            .with_storage()
            .with_changes()
            .with_atomics();
        if is_async {
            import.add_to_linker_async(&mut linker, AsyncOptions::default()).unwrap();
            wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        } else {
            import.add_to_linker(&mut linker).unwrap();
            wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        }
        let mut context = IommapCtx::builder();
        context.preopened_dir(scene.directory(), "/data", FsPerms::ReadWrite).unwrap();
        let mut wasi = WasiCtx::builder();
        context.preopen_into(&mut wasi).unwrap();
        let iommap = context.max_locks(9).max_watches(1).max_waiters(1).build();
        let usage = iommap.usage().clone();
        let state = State { iommap, wasi: wasi.build(), table: ResourceTable::new() };
        let mut store = Store::new(engine, state);
        store.set_epoch_deadline(1);
        let component = Component::from_file(engine, guest("viewer")).unwrap();
        let linked = linker.instantiate_pre(&component).unwrap();
        let runtime = is_async.then(|| Builder::new_current_thread().build().unwrap());
        let instance = match &runtime {
            Some(runtime) => runtime.block_on(linked.instantiate_async(&mut store)),
            None => linked.instantiate(&mut store),
        }
        .unwrap();
        let step = instance.get_typed_func(&mut store, "step").unwrap();
        Timed { store, step, usage, runtime }
    }

    pub(crate) fn step(&mut self, command: &str) -> wasmtime::Result<String> {
        let Timed { store, step, runtime, .. } = self;
        let params = (command.to_owned(),);
        let (answer,) = match runtime {
            Some(runtime) => runtime.block_on(step.call_async(store, params))?,
            None => step.call(store, params)?,
        };
        Ok(answer)
    }
}

#[test]
fn a_guest_that_waits_for_a_lock_ends_with_its_epoch() {
    let mut config = Config::new();
    config.epoch_interruption(true).cache(Some(cache()));
    let engine = Engine::new(&config).unwrap();
    for is_async in [false, true] {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", "contents");
        let mut holder = scene.viewer(scene.grant().max_locks(1));
        holder.play("open m /data/f read-write -> ok\nlock m 0 1 exclusive 0 -> ok locked");
        let mut waiting = Timed::new(&engine, &scene, is_async);
        assert_eq!(waiting.step("open m /data/f read-write").unwrap(), "ok");
        assert_eq!(waiting.step("lock m 5 1 exclusive 0").unwrap(), "ok locked");
        let (usage, ended) = (waiting.usage.clone(), AtomicBool::new(false));
        let trap = thread::scope(|scope| {
            scope.spawn(|| {
                while usage.counters().lock_waits == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::sleep(Duration::from_millis(120));
                assert!(!ended.load(SeqCst), "it waits until it is ended");
                engine.increment_epoch();
            });
            let trap = waiting.step("lock m 0 1 shared -").unwrap_err();
            ended.store(true, SeqCst);
            trap
        });
        assert_eq!(trap.downcast_ref(), Some(&Trap::Interrupt), "{trap:?}");
        // What it had goes with its store, and it is waited for by nobody.
        holder.play("lock m 0 0 exclusive 0 -> ok busy");
        drop(waiting);
        holder.play("lock m 0 0 exclusive 0 -> ok locked\nunlock m 0 0 -> ok");
        assert_all_returned(&usage);
    }
}

#[test]
fn a_guest_that_waits_for_a_change_ends_with_its_epoch() {
    let mut config = Config::new();
    config.epoch_interruption(true).cache(Some(cache()));
    let engine = Engine::new(&config).unwrap();
    for is_async in [false, true] {
        let scene = Scene::new(Kind::Sync);
        scene.write("f", "contents");
        let mut waiting = Timed::new(&engine, &scene, is_async);
        assert_eq!(waiting.step("open m /data/f read-write").unwrap(), "ok");
        assert_eq!(waiting.step("know m").unwrap(), "ok");
        let usage = waiting.usage.clone();
        let trap = thread::scope(|scope| {
            scope.spawn(|| {
                while usage.counters().watches == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
                engine.increment_epoch();
            });
            waiting.step("wait m -").unwrap_err()
        });
        assert_eq!(trap.downcast_ref(), Some(&Trap::Interrupt), "{trap:?}");
        drop(waiting);
        assert_all_returned(&usage);
    }
}

/// What a call has come to by the time that it can't go on. `None` if it waits.
pub(crate) fn begin<F: Future>(runtime: &Runtime, call: &mut Pin<Box<F>>) -> Option<F::Output> {
    runtime.block_on(async {
        let state = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(answer) = state { Some(answer) } else { None }
    })
}

/// The kinds of stores whose guests wait as tasks, with three guests each, of which the first has a
/// lock on all of the file. The executor has one thread and no timers.
fn on_one_thread(story: impl Fn([Guest; 3], &Runtime)) {
    for kind in [Kind::Async, Kind::Offloading] {
        let scene = Scene::new(kind);
        scene.write("f", "contents");
        let mut guests = [0; 3].map(|_| scene.viewer(scene.grant().max_locks(9)));
        for guest in &mut guests {
            guest.play("open m /data/f read-write -> ok");
        }
        guests[0].play("lock m 0 0 exclusive 0 -> ok locked");
        story(guests, &Builder::new_current_thread().build().unwrap());
    }
}

#[test]
fn a_task_that_waits_for_a_lock_holds_no_thread() {
    on_one_thread(|[mut one, other, _], runtime| {
        let usage = other.usage();
        let mut call = Box::pin(other.into_call("lock m 3 1 exclusive -"));
        assert!(begin(runtime, &mut call).is_none(), "it waits");
        // And still does when it was woken a few times.
        runtime.block_on(async {
            for _ in 0..4 {
                poll_fn(|context| match call.as_mut().poll(context) {
                    Poll::Ready(_) => panic!("nobody gave it back"),
                    Poll::Pending => Poll::Ready(()),
                })
                .await;
                tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(30)))
                    .await
                    .unwrap();
            }
        });
        one.play("unlock m 0 0 -> ok");
        assert_eq!(runtime.block_on(call).unwrap(), "ok locked");
        assert_eq!(usage.counters().lock_waits, 1);
        one.play("lock m 3 1 exclusive 0 -> ok locked");
    });
}

#[test]
fn a_dropped_call_waits_no_longer() {
    on_one_thread(|[mut one, other, mut third], runtime| {
        let usage = other.usage();
        let mut call = Box::pin(other.into_call("lock m 0 0 exclusive -"));
        assert!(begin(runtime, &mut call).is_none(), "it waits");
        assert_eq!(usage.counters().lock_waits, 1);
        runtime.block_on(async { drop(call) });
        assert_all_returned(&usage);
        // Whoever comes now comes first.
        one.play("unlock m 0 0 -> ok");
        third.play("lock m 0 0 shared - -> ok locked");
        one.play("lock m 0 0 exclusive 0 -> ok busy");
        assert_eq!(third.counters().lock_waits, 0);
    });
}

#[test]
fn a_task_that_nobody_polls_keeps_nobody_waiting() {
    on_one_thread(|[mut one, other, mut third], runtime| {
        let mut call = Box::pin(other.into_call("lock m 0 0 exclusive -"));
        assert!(begin(runtime, &mut call).is_none(), "it waits");
        one.play("unlock m 0 0 -> ok");
        third.play("lock m 0 0 shared - -> ok locked\nunlock m 0 0 -> ok");
        assert_eq!(runtime.block_on(call).unwrap(), "ok locked");
    });
}
