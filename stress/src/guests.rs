//! The guests: stores that come and go, on threads of several kinds.

use crate::appender::{GROWN, LOG};
use crate::totals::Totals;
use crate::vandal::{FILE, PAGES};
use bindings::{Job, Report, Wrong};
use fastrand::Rng;
use iommap::{AsyncOptions, FsPerms, IommapCtx, IommapCtxView, IommapView, Usage};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result, Store, Trap};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// How many calls a store makes, about, before another takes its place.
const CALLS: u64 = 8000;

/// What a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// Sync stores.
    Sync,
    /// Sync stores that the epoch interrupts somewhere.
    Interrupted,
    /// Sync stores that read behind the end of their memory somewhere.
    Trapping,
    /// Sync stores that map, privately, a file to which another process appends.
    Log,
    /// Sync stores that make longer a file to which another process appends.
    Grow,
    /// Two async stores at a time, with waiting calls, or larger transfers too, on other threads.
    Async { offload: bool },
    /// Async stores, one at a time, that are dropped in the middle of a call.
    Dropped,
}

impl Worker {
    /// How many stores it has at a time.
    pub(crate) fn stores(self) -> u64 {
        if matches!(self, Worker::Async { .. }) { 2 } else { 1 }
    }
}

/// A thread's orders.
pub(crate) struct Plan {
    pub(crate) worker: Worker,
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    /// The first of its stores, among all `owners`.
    pub(crate) owner: u64,
    pub(crate) owners: u64,
}

/// The guest, linked in three ways.
pub(crate) struct Engines {
    engine: Engine,
    here: InstancePre<State>,
    elsewhere: InstancePre<State>,
    offloading: InstancePre<State>,
}

impl Engines {
    pub(crate) fn new() -> Result<Engines> {
        let mut config = Config::new();
        config.concurrency_support(false);
        config.epoch_interruption(true);
        let engine = Engine::new(&config)?;
        let guest = Component::from_file(&engine, iommap_artifacts::guest("hammer"))?;
        let link = |add: fn(&mut Linker<State>) -> Result<()>| {
            let mut linker = Linker::<State>::new(&engine);
            add(&mut linker)?;
            linker.root().func_wrap("faults", |store, ()| {
                Ok((store.data().iommap.counters().faults_recovered,))
            })?;
            linker.instantiate_pre(&guest)
        };
        Ok(Engines {
            here: link(|linker| {
                iommap::add_to_linker(linker, State::iommap)?;
                wasmtime_wasi::p2::add_to_linker_sync(linker)
            })?,
            elsewhere: link(|linker| {
                iommap::add_to_linker_async(linker, State::iommap)?;
                wasmtime_wasi::p2::add_to_linker_async(linker)
            })?,
            offloading: link(|linker| {
                let mut options = AsyncOptions::default();
                options.offload_above = Some(4096);
                iommap::add_to_linker_async_with(linker, options, State::iommap)?;
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

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]
    wasmtime::component::bindgen!({
        path: ["../wit", "../tests/guests/hammer/wit"],
        world: "iommap:test/hammer",
    });
}

impl Plan {
    /// One store after another until it is told to stop.
    pub(crate) fn carry_out(&self, engines: &Engines, stop: &AtomicBool) -> Result<Totals> {
        let mut totals = Totals::default();
        let mut random = Rng::with_seed(self.seed ^ self.owner << 32);
        if let Worker::Async { offload } = self.worker {
            let linked = if offload { &engines.offloading } else { &engines.elsewhere };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            while !stop.load(Ordering::Relaxed) {
                let (one, two) = runtime.block_on(async {
                    let one = self.one_async(engines, linked, self.owner, random.u64(..));
                    let two = self.one_async(engines, linked, self.owner + 1, random.u64(..));
                    tokio::join!(one, two)
                });
                totals.add(one?);
                totals.add(two?);
            }
            return Ok(totals);
        }
        if self.worker == Worker::Dropped {
            return self.drop_stores(engines, stop, random);
        }
        while !stop.load(Ordering::Relaxed) {
            totals.add(self.one_sync(engines, random.u64(..))?);
        }
        Ok(totals)
    }

    /// Lets a store go on for a moment and drops the call, and then the store, whatever it does.
    fn drop_stores(&self, engines: &Engines, stop: &AtomicBool, mut random: Rng) -> Result<Totals> {
        let (mut totals, mut usages) = (Totals::default(), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        while !stop.load(Ordering::Relaxed) {
            let patience = Duration::from_micros(random.u64(..30_000));
            let seed = random.u64(..);
            let (store, usage) = self.store(engines)?;
            let linked = &engines.offloading;
            let running = self.run_async(store, linked, self.owner, seed);
            let ended = runtime.block_on(async { timeout(patience, running).await });
            let reported = match ended {
                Ok(ended) => self.ended(ended?, &mut totals),
                Err(_) => {
                    totals.dropped += 1;
                    false
                }
            };
            usages.push((usage, reported));
        }
        // It waits for calls that have begun on its other threads: nothing may be used after them.
        drop(runtime);
        for (usage, reported) in usages {
            totals.store(usage.counters(), reported);
        }
        Ok(totals)
    }

    fn job(&self, owner: u64, seed: u64) -> Job {
        let mut random = Rng::with_seed(seed);
        let file = match self.worker {
            Worker::Log => LOG,
            Worker::Grow => GROWN,
            _ => FILE,
        };
        Job {
            path: format!("/data/{file}"),
            pages: PAGES,
            seed,
            calls: CALLS / 2 + random.u64(..CALLS),
            owner,
            owners: self.owners,
            private: self.worker == Worker::Log || random.u64(..8) == 0,
            grow: self.worker == Worker::Grow,
            trap_after: (self.worker == Worker::Trapping).then(|| random.u64(..400)),
        }
    }

    fn store(&self, engines: &Engines) -> Result<(Store<State>, Arc<Usage>)> {
        let iommap = IommapCtx::builder()
            .preopened_dir(&self.directory, "/data", FsPerms::ReadWrite)?
            // One and no more: what is not returned is missed at once.
            .max_mappings(1)
            .build();
        let usage = iommap.usage().clone();
        let wasi = WasiCtx::builder().inherit_stderr().build();
        let state = State { iommap, wasi, table: ResourceTable::new() };
        Ok((Store::new(&engines.engine, state), usage))
    }

    fn one_sync(&self, engines: &Engines, seed: u64) -> Result<Totals> {
        let (mut store, usage) = self.store(engines)?;
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = engines.here.instantiate(&mut store)?;
        let run = instance.get_typed_func::<(Job,), (Report,)>(&mut store, "run")?;
        if self.worker == Worker::Interrupted {
            store.set_epoch_deadline(1 + seed % 4);
        }
        let ended = run.call(&mut store, (self.job(self.owner, seed),));
        let mut totals = Totals::default();
        let reported = self.ended(ended, &mut totals);
        drop(store);
        totals.store(usage.counters(), reported);
        Ok(totals)
    }

    async fn one_async(
        &self,
        engines: &Engines,
        linked: &InstancePre<State>,
        owner: u64,
        seed: u64,
    ) -> Result<Totals> {
        let (store, usage) = self.store(engines)?;
        let ended = self.run_async(store, linked, owner, seed).await?;
        let mut totals = Totals::default();
        let reported = self.ended(ended, &mut totals);
        totals.store(usage.counters(), reported);
        Ok(totals)
    }

    /// Runs a guest to its end. The store goes with it.
    async fn run_async(
        &self,
        mut store: Store<State>,
        linked: &InstancePre<State>,
        owner: u64,
        seed: u64,
    ) -> Result<Result<(Report,)>> {
        // Gives way to the other store on this thread at every tick.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = linked.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(Job,), (Report,)>(&mut store, "run")?;
        Ok(run.call_async(&mut store, (self.job(owner, seed),)).await)
    }

    /// Takes down how a guest ended; tells whether it gave its report.
    fn ended(&self, ended: Result<(Report,)>, totals: &mut Totals) -> bool {
        let error = match ended {
            Ok((report,)) => {
                totals.calls += report.calls;
                totals.verified += report.verified;
                totals.wrong += report.wrong;
                totals.at_open += report.at_open;
                totals.at_open_untold += report.at_open_untold;
                totals.first_wrong = report.first_wrong.map(|Wrong { offset, found, allowed }| {
                    format!(
                        "{found} at {offset}, generations {allowed:#b} allowed, {:?}",
                        self.worker
                    )
                });
                for (sum, count) in totals.errors.iter_mut().zip(report.errors) {
                    *sum += count;
                }
                return true;
            }
            Err(error) => error,
        };
        match (self.worker, error.downcast_ref::<Trap>()) {
            (Worker::Trapping, Some(Trap::MemoryOutOfBounds)) => totals.out_of_bounds_traps += 1,
            (Worker::Interrupted, Some(Trap::Interrupt)) => totals.interrupted += 1,
            _ => totals.failures.push(format!("{:?}: {error:?}", self.worker)),
        }
        false
    }
}
