//! Stores with windows, one after another on each thread, and how each of them ends.

use super::engines::{Engines, State};
use crate::totals::{ERRORS, Totals};
use bindings::{Failed, Job, Report, Wrong};
use fastrand::Rng;
use iommap::{FsPerms, IommapCtx, Usage};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::time::timeout;
use wasmtime::component::{Instance, ResourceTable};
use wasmtime::{Result, Store, Trap};
use wasmtime_wasi::WasiCtx;

/// How much a store does, about, before another takes its place.
const STEPS: u64 = 200;

/// How many windows a store has at once: so many may it have, and no more, so that one that is not
/// returned is missed at once.
const WINDOWS: u32 = 6;

/// More than all of them can have.
const WINDOW_BYTES: u64 = WINDOWS as u64 * (2 << 20);

/// What a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// Sync stores on the file that is cut between pages.
    Strict,
    /// Sync stores on the file that the vandals destroy.
    Destroyed,
    /// Sync stores that the epoch interrupts somewhere.
    Interrupted,
    /// Sync stores that trap somewhere.
    Trapping,
    /// Async stores, one at a time, that are dropped in the middle of a call.
    Dropped,
}

/// How a store goes whose guest has windows and came to its end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is dropped.
    Dropped,
    /// Its data outlives it, the handles of its windows among them.
    Data,
    /// Its data goes to another store.
    Reused,
    /// Its table is cleared while the guest looks on.
    Cleared,
    /// Another thread drops it.
    Elsewhere,
}

/// All of them.
const END: [End; 5] = [End::Dropped, End::Data, End::Reused, End::Cleared, End::Elsewhere];

/// A thread's orders.
pub(crate) struct Plan {
    pub(crate) worker: Worker,
    pub(crate) directory: PathBuf,
    pub(crate) file: &'static str,
    pub(crate) pages: u64,
    pub(crate) seed: u64,
    /// Its stores' number, among all `owners`.
    pub(crate) owner: u64,
    pub(crate) owners: u64,
}

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]
    wasmtime::component::bindgen!({
        path: "../tests/guests/onlooker/wit",
        world: "iommap:test/onlooker",
    });
}

impl Plan {
    /// One store after another until it is told to stop.
    pub(crate) fn carry_out(&self, engines: &Engines, stop: &AtomicBool) -> Result<Totals> {
        let mut random = Rng::with_seed(self.seed ^ (self.owner + 100) << 32);
        if self.worker == Worker::Dropped {
            return self.drop_stores(engines, stop, random);
        }
        let mut totals = Totals::default();
        // The first one, which comes to all ends, goes on until each has come.
        let all = |totals: &Totals| totals.windows.ends.iter().all(|count| *count > 0);
        while !stop.load(Ordering::Relaxed) || (self.owner == 0 && !all(&totals)) {
            self.one(engines, random.u64(..), &mut totals)?;
        }
        Ok(totals)
    }

    fn job(&self, seed: u64) -> Job {
        let mut random = Rng::with_seed(seed);
        Job {
            path: format!("/data/{}", self.file),
            pages: self.pages,
            strict: self.worker != Worker::Destroyed,
            seed,
            steps: STEPS / 2 + random.u64(..STEPS),
            owner: self.owner,
            owners: self.owners,
            windows: WINDOWS,
            trap_after: (self.worker == Worker::Trapping).then(|| 1 + random.u64(..STEPS / 2)),
        }
    }

    fn state(&self) -> Result<State> {
        let mut iommap = IommapCtx::builder();
        iommap
            .preopened_dir(&self.directory, "/data", FsPerms::ReadWrite)?
            .max_mappings(1)
            .max_windows(WINDOWS.into())
            .max_window_bytes(WINDOW_BYTES);
        // SAFETY: the files change all the time, and there are windows for stores to them. But what
        // these guests tell the host while they have windows lies elsewhere in their memories, and
        // what lies in windows is taken by the host as bytes alone.
        unsafe { iommap.windows_on_changing_files(true).writable_windows(true) };
        let wasi = WasiCtx::builder().inherit_stderr().build();
        Ok(State { iommap: iommap.build(), wasi, table: ResourceTable::new() })
    }

    /// A store whose guest does a job, and its end.
    fn one(&self, engines: &Engines, seed: u64, totals: &mut Totals) -> Result<()> {
        let state = self.state()?;
        let usage = state.iommap.usage().clone();
        let mut store = Store::new(&engines.engine, state);
        let instance = self.instance(&mut store, engines)?;
        match self.run(&mut store, &instance, seed, totals)? {
            true => self.end(store, &instance, engines, seed, totals)?,
            false => drop(store),
        }
        gone(&usage, totals);
        Ok(())
    }

    fn instance(&self, store: &mut Store<State>, engines: &Engines) -> Result<Instance> {
        store.set_epoch_deadline(u64::MAX / 2);
        engines.sync.instantiate(store)
    }

    /// Has the guest do a job. Tells whether it came to its end.
    fn run(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        seed: u64,
        totals: &mut Totals,
    ) -> Result<bool> {
        let run = instance.get_typed_func::<(Job,), (Report,)>(&mut *store, "run")?;
        if self.worker == Worker::Interrupted {
            store.set_epoch_deadline(1 + seed % 4);
        }
        let before = store.data().iommap.counters().faults_recovered;
        let ended = run.call(&mut *store, (self.job(seed),));
        store.set_epoch_deadline(u64::MAX / 2);
        let reported = self.ended(ended, totals);
        if reported {
            let after = store.data().iommap.counters().faults_recovered;
            totals.faults_reported += after - before;
        }
        Ok(reported)
    }

    /// Ends a store whose guest has windows still.
    fn end(
        &self,
        mut store: Store<State>,
        instance: &Instance,
        engines: &Engines,
        seed: u64,
        totals: &mut Totals,
    ) -> Result<()> {
        // In turns.
        let ends = totals.windows.ends;
        let end = END.into_iter().min_by_key(|end| ends[*end as usize]).unwrap_or(End::Dropped);
        totals.windows.ends[end as usize] += 1;
        match end {
            End::Dropped => drop(store),
            End::Data => drop(without_store(store, totals)),
            End::Reused => {
                let mut data = without_store(store, totals);
                // The mapping is there still, and it may have one.
                data.table = ResourceTable::new();
                let mut store = Store::new(&engines.engine, data);
                let instance = self.instance(&mut store, engines)?;
                self.run(&mut store, &instance, seed ^ 1, totals)?;
            }
            End::Cleared => {
                store.data_mut().table = ResourceTable::new();
                let look = instance.get_typed_func::<(), (Report,)>(&mut store, "look")?;
                let ended = look.call(&mut store, ());
                self.ended(ended, totals);
            }
            End::Elsewhere => {
                let ended = thread::spawn(move || drop(store)).join();
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        }
        Ok(())
    }

    /// Lets a store go on for a moment and drops the call, and then the store, whatever it does.
    fn drop_stores(&self, engines: &Engines, stop: &AtomicBool, mut random: Rng) -> Result<Totals> {
        let (mut totals, mut usages) = (Totals::default(), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        while !stop.load(Ordering::Relaxed) {
            let patience = Duration::from_micros(random.u64(..30_000));
            let state = self.state()?;
            let usage = state.iommap.usage().clone();
            let store = Store::new(&engines.engine, state);
            let running = self.run_async(store, engines, random.u64(..));
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
        // It waits for calls that have begun on its other threads.
        drop(runtime);
        for (usage, reported) in usages {
            if reported {
                totals.faults_reported += usage.counters().faults_recovered;
            }
            gone(&usage, &mut totals);
        }
        Ok(totals)
    }

    /// Runs a guest to its end. The store goes with it.
    async fn run_async(
        &self,
        mut store: Store<State>,
        engines: &Engines,
        seed: u64,
    ) -> Result<Result<(Report,)>> {
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = engines.waiting.instantiate_async(&mut store).await?;
        let run = instance.get_typed_func::<(Job,), (Report,)>(&mut store, "run")?;
        Ok(run.call_async(&mut store, (self.job(seed),)).await)
    }

    /// Takes down how a call of a guest ended; tells whether it gave its report.
    fn ended(&self, ended: Result<(Report,)>, totals: &mut Totals) -> bool {
        let error = match ended {
            Ok((report,)) => {
                self.heard(&report, totals);
                return true;
            }
            Err(error) => error,
        };
        match (self.worker, error.downcast_ref::<Trap>()) {
            (Worker::Trapping, Some(Trap::MemoryOutOfBounds)) => totals.out_of_bounds_traps += 1,
            (Worker::Trapping, Some(Trap::UnreachableCodeReached)) => totals.windows.aborted += 1,
            (Worker::Interrupted, Some(Trap::Interrupt)) => totals.interrupted += 1,
            _ => totals.failures.push(format!("windows, {:?}: {error:?}", self.worker)),
        }
        false
    }

    /// What a guest says.
    fn heard(&self, report: &Report, totals: &mut Totals) {
        totals.verified += report.loaded + report.copied;
        totals.wrong += report.wrong;
        if let Some(Wrong { offset, found, allowed }) = report.first_wrong {
            totals.first_wrong.get_or_insert_with(|| {
                let allowed = format!("generations {allowed:#b} allowed");
                format!("{found} at {offset}, {allowed}, in windows or beside, {:?}", self.worker)
            });
        }
        for Failed { name, count } in &report.errors {
            match ERRORS.iter().position(|error| error == name) {
                Some(error) => totals.errors[error] += count,
                None => totals.failures.push(format!("{count} times {name}, which is no error")),
            }
        }
        let seen = &mut totals.windows;
        seen.steps += report.steps;
        seen.opened += report.opened;
        seen.moved += report.moved;
        seen.loaded += report.loaded;
        seen.stored += report.stored;
        seen.lost += report.lost;
        seen.untold += report.untold;
        seen.disagreed += report.disagreed;
    }
}

/// Ends a store before its data, which has no windows left then.
fn without_store(store: Store<State>, totals: &mut Totals) -> State {
    let data = store.into_data();
    let used = data.iommap.counters();
    totals.windows.unreturned += used.windows + used.window_bytes;
    data
}

/// A store is gone with all that it had.
fn gone(usage: &Usage, totals: &mut Totals) {
    let used = usage.counters();
    totals.store(used, false);
    totals.windows.store(used);
}
