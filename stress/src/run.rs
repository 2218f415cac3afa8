//! The guests' process: threads, other processes, and the sum of it all.

use crate::guests::{Engines, Plan, Worker};
use crate::totals::{Process, Totals, report};
use crate::vandal::{FILE, WHOLE};
use crate::{appender, leftovers, raised, seen, windows};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many processes destroy the file.
const VANDALS: u64 = 2;

/// What the threads do.
const WORKERS: [Worker; 9] = [
    Worker::Sync,
    Worker::Sync,
    Worker::Interrupted,
    Worker::Trapping,
    Worker::Async { offload: false },
    Worker::Async { offload: true },
    Worker::Dropped,
    Worker::Log,
    Worker::Grow,
];

/// How much lower the priority is of the threads without windows.
const LESS: i32 = 5;

/// How often the epoch moves on.
const TICK: Duration = Duration::from_millis(5);

/// Runs guests for so many seconds; tells whether all went well.
pub(crate) fn run(directory: &Path, seconds: u64, seed: u64) -> Result<bool> {
    raised::count().context("cannot count signals")?;
    let before = iommap::guard::faults_recovered();
    let looking = Arc::new(windows::Engines::new().map_err(whole)?);
    let engines = Arc::new(Engines::new().map_err(whole)?);
    let stop = Arc::new(AtomicBool::new(false));
    let mut vandals = Vandals::start(directory, seed)?;

    let windows_before = seen::Process::now()?;
    let start = Instant::now();
    // Each async worker has two stores at a time.
    let owners = WORKERS.iter().map(|worker| worker.stores()).sum();
    let mut owner = 0;
    let mut threads = windows::start(&looking, directory, seed, &stop);
    for worker in WORKERS {
        let plan = Plan { worker, directory: directory.to_owned(), seed, owner, owners };
        owner += worker.stores();
        let (engines, stop) = (engines.clone(), stop.clone());
        threads.push(thread::spawn(move || {
            // They never wait; those with windows do, for one another, and shall not for these as well.
            rustix::process::nice(LESS)?;
            plan.carry_out(&engines, &stop)
        }));
    }
    while start.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(TICK);
        engines.tick();
        looking.tick();
        vandals.check()?;
    }
    stop.store(true, Ordering::Relaxed);
    let mut totals = Totals::default();
    let mut all = true;
    for thread in threads {
        // The last guests may need their epoch to come to an end.
        while !thread.is_finished() {
            engines.tick();
            looking.tick();
            thread::sleep(TICK);
        }
        match thread.join() {
            Ok(done) => totals.add(done.map_err(whole)?),
            Err(_) => {
                println!("FOUND: a thread panicked, see above");
                all = false;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    vandals.stop();
    totals.first_wrong = totals.first_wrong.or(wrong_in_file(directory)?);
    let found = appender::account(directory)?;
    (totals.appended, totals.grown) = (found.appended, found.zeros);
    totals.first_wrong = totals.first_wrong.or(windows::cutter::wrong(directory)?);
    let (descriptors, mappings) = leftovers::count(directory)?;
    let recovered = iommap::guard::faults_recovered() - before;
    let windows = seen::Process::since(&windows_before)?;
    let process = Process { raised: raised::so_far(), recovered, descriptors, mappings, windows };
    Ok(report(&totals, &process, seconds) && all)
}

/// What is wrong with the file itself, once nobody writes to it any more.
fn wrong_in_file(directory: &Path) -> Result<Option<String>> {
    let bytes = std::fs::read(directory.join(FILE))?;
    if bytes.len() as u64 > WHOLE {
        return Ok(Some(format!("the file has {} bytes", bytes.len())));
    }
    let any = (1 << iommap_pattern::GENERATIONS) - 1;
    let wrong = iommap_pattern::wrong(&bytes, 0, any);
    Ok(wrong.map(|(first, count)| format!("{count} in the file itself, from {first} on")))
}

/// wasmtime's error with all that it knows.
fn whole(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

/// The other processes. They end with this one.
struct Vandals(Vec<Child>);

impl Vandals {
    fn start(directory: &Path, seed: u64) -> Result<Vandals> {
        let mut vandals = Vandals(Vec::new());
        let mut start = |role: &str, args: &[String]| -> Result<()> {
            let mut process = Command::new(std::env::current_exe()?);
            process.args(["--seed", &seed.to_string(), role]).arg(directory).args(args);
            vandals.0.push(process.spawn().context("cannot start another process")?);
            Ok(())
        };
        for number in 0..VANDALS {
            start("vandal", &[number.to_string()])?;
        }
        start("appender", &[])?;
        start("cutter", &[])?;
        Ok(vandals)
    }

    /// A run in which nothing is destroyed says nothing.
    fn check(&mut self) -> Result<()> {
        for child in &mut self.0 {
            if let Some(status) = child.try_wait()? {
                anyhow::bail!("a process that works on a file beside the guests ended: {status}");
            }
        }
        Ok(())
    }

    fn stop(&mut self) {
        for child in &mut self.0 {
            // It may be gone already, which `check` said.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Vandals {
    fn drop(&mut self) {
        self.stop();
    }
}
