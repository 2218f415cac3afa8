//! No guest holds its host's thread for longer than the embedder lets it: epochs and fuel work
//! between calls, and what a guest wrote before its end stays written.

use iommap::{FsPerms, IommapCtx, IommapCtxView, IommapView, Usage};
use iommap_tests::bindings::hammer::{Hammer, Job, Report, Wrong};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use wasmtime::component::{Component, Instance, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, StoreContextMut, Trap};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

const PAGES: u64 = 16;

/// More calls than any test will wait for.
const ENDLESS: u64 = u64::MAX;

struct State {
    iommap: IommapCtx,
    wasi: WasiCtx,
    table: ResourceTable,
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

/// A store with a guest in it, and a directory with the file `f` of zeros.
struct World {
    directory: TempDir,
    engine: Engine,
    store: Store<State>,
    instance: Instance,
    usage: Arc<Usage>,
}

impl World {
    fn new(guest: &str, configure: impl FnOnce(&mut Config)) -> World {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("f"), vec![0; (PAGES * 4096) as usize]).unwrap();
        let mut config = Config::new();
        config.concurrency_support(false);
        configure(&mut config);
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_file(&engine, guest).unwrap();
        let mut linker = Linker::new(&engine);
        iommap::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::locks::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::atomics::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::changes::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::storage::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::wasi::add_to_linker(&mut linker, State::iommap, |s| &mut s.table).unwrap();
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        let iommap = IommapCtx::builder()
            .preopened_dir(directory.path(), "/data", FsPerms::ReadWrite)
            .unwrap()
            .build();
        let usage = iommap.usage().clone();
        let wasi = WasiCtx::builder().inherit_stderr().build();
        let state = State { iommap, wasi, table: ResourceTable::new() };
        let mut store = Store::new(&engine, state);
        store.set_epoch_deadline(u64::MAX / 2);
        if store.get_fuel().is_ok() {
            store.set_fuel(u64::MAX).unwrap();
        }
        let faults = |store: StoreContextMut<'_, State>, ()| {
            Ok((store.data().iommap.counters().faults_recovered,))
        };
        linker.root().func_wrap("faults", faults).unwrap();
        let instance = linker.instantiate(&mut store, &component).unwrap();
        World { directory, engine, store, instance, usage }
    }

    fn hammer(&mut self, job: &Job) -> wasmtime::Result<Report> {
        Hammer::new(&mut self.store, &self.instance)?.call_run(&mut self.store, job)
    }

    fn step(&mut self, command: &str) -> wasmtime::Result<String> {
        let step =
            self.instance.get_typed_func::<(String,), (String,)>(&mut self.store, "step").unwrap();
        step.call(&mut self.store, (command.to_owned(),)).map(|(answer,)| answer)
    }

    /// Ends the store, of which nothing is left but what is in the directory.
    fn end(self) -> TempDir {
        let counters = self.usage.counters();
        assert_eq!(counters.mappings, 1, "the guest was at work: {counters:?}");
        drop(self.store);
        let counters = self.usage.counters();
        assert_eq!((counters.mappings, counters.mapped_bytes), (0, 0));
        self.directory
    }
}

fn endless() -> Job {
    Job {
        path: "/data/f".into(),
        pages: PAGES,
        seed: 7,
        calls: ENDLESS,
        owner: 0,
        owners: 1,
        private: false,
        grow: false,
        trap_after: None,
    }
}

#[track_caller]
fn assert_trap<R>(ended: wasmtime::Result<R>, expected: Trap) {
    match ended {
        Ok(_) => panic!("it came to an end of its own"),
        Err(error) => assert_eq!(error.downcast_ref::<Trap>(), Some(&expected), "{error:?}"),
    }
}

#[test]
fn a_guest_left_alone_finds_every_byte_right() {
    let mut world = World::new(iommap_artifacts::guest("hammer"), |_| ());
    let job = Job { calls: 5000, ..endless() };
    let report = world.hammer(&job).unwrap();
    assert!(report.calls >= 5000 && report.verified > 100_000);
    assert_eq!(report.wrong, 0);
    assert!(report.first_wrong.is_none());
    // `out-of-bounds`, which it asks for now and then.
    assert_eq!(report.errors.iter().sum::<u64>(), report.errors[5]);
    assert_eq!((report.at_open, report.at_open_untold), (0, 0));
}

#[test]
fn a_wrong_byte_in_the_file_is_found() {
    let mut world = World::new(iommap_artifacts::guest("hammer"), |_| ());
    let mut bytes = vec![0; (PAGES * 4096) as usize];
    bytes[PAGES as usize * 4096 - 5000] = 0x80;
    fs::write(world.directory.path().join("f"), bytes).unwrap();
    // Reads only what nobody writes to: all pages but the first are somebody else's.
    let job = Job { calls: 5000, owners: PAGES, ..endless() };
    let report = world.hammer(&job).unwrap();
    assert!(report.wrong > 0);
    let wrong = report.first_wrong.unwrap();
    let Wrong { offset, found, allowed } = wrong;
    assert_eq!((offset, found, allowed), (PAGES * 4096 - 5000, 0x80, 0b1111));
}

#[test]
fn the_end_of_an_epoch_interrupts_a_guest_between_calls() {
    let mut world = World::new(iommap_artifacts::guest("hammer"), |config| {
        config.epoch_interruption(true);
    });
    world.store.set_epoch_deadline(1);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Not before it has made some calls.
        let (usage, engine) = (world.usage.clone(), world.engine.clone());
        scope.spawn(|| {
            let (usage, engine) = (usage, engine);
            while usage.counters().bytes_read < 100_000 && !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            engine.increment_epoch();
        });
        assert_trap(world.hammer(&endless()), Trap::Interrupt);
        over.store(true, Ordering::Relaxed);
    });
    assert!(world.usage.counters().bytes_read >= 100_000);
    world.end();
}

#[test]
fn the_end_of_its_fuel_stops_a_guest_between_calls() {
    let mut world = World::new(iommap_artifacts::guest("hammer"), |config| {
        config.consume_fuel(true);
    });
    world.store.set_fuel(30_000_000).unwrap();
    assert_trap(world.hammer(&endless()), Trap::OutOfFuel);
    assert!(world.usage.counters().bytes_read > 0);
    world.end();
}

#[test]
fn what_a_guest_wrote_stays_when_its_epoch_ends() {
    let mut world = World::new(iommap_artifacts::guest("driver"), |config| {
        config.epoch_interruption(true);
    });
    assert_eq!(world.step("open m /data/f read-write").unwrap(), "ok");
    assert_eq!(world.step("pwrite m 4090 text:written-and-not-synced").unwrap(), "ok");
    world.store.set_epoch_deadline(1);
    world.engine.increment_epoch();
    assert_trap(world.step("spin"), Trap::Interrupt);
    let directory = world.end();
    let file = fs::read(directory.path().join("f")).unwrap();
    assert_eq!(&file[4090..4112], b"written-and-not-synced");
}

#[test]
fn what_a_guest_wrote_stays_when_it_traps() {
    for trap in ["trap", "oob"] {
        let mut world = World::new(iommap_artifacts::guest("driver"), |_| ());
        assert_eq!(world.step("open m /data/f read-write").unwrap(), "ok");
        assert_eq!(world.step("pwrite m 8000 fill:7:9000").unwrap(), "ok");
        assert!(world.step(trap).is_err());
        let directory = world.end();
        assert_eq!(fs::read(directory.path().join("f")).unwrap()[8000..17_000], [7; 9000]);
    }
}
