//! Many threads on the same file, each with a store, a guest and a mapping of its own.

use crate::boundary::{self, Code};
use crate::cases::{Case, Place};
use crate::contenders::Task;
use crate::embedding::{Embedding, FILE_NAME};
use crate::guest::Guest;
use crate::loops::Loop;
use crate::native::Native;
use crate::numbers::median_and_minimum;
use crate::offsets::{Work, scrambled};
use crate::results::Throughput;
use crate::rounds::Effort;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use wasmtime::{Result, ensure};

/// One thread, twice as many and so on, up to as many as there are.
fn numbers() -> Vec<usize> {
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let mut numbers: Vec<_> = (0..).map(|power| 1 << power).take_while(|n| *n < most).collect();
    numbers.push(most);
    numbers
}

/// What is read.
const CASE: Case = Case { task: Task::Read, place: Place::Hot, size: 64 };

/// Measures each number of threads.
pub(crate) fn measure(
    embedding: &Embedding,
    code: &Code,
    dir: &Path,
    effort: Effort,
) -> Result<Vec<Throughput>> {
    let numbers = numbers();
    let most = numbers.last().copied().unwrap_or(1);
    let mut guests: Vec<Guest<Loop>> =
        (0..most).map(|_| boundary::guest(embedding, code, dir, true)).collect::<Result<_>>()?;
    let mut maps: Vec<Native> =
        (0..most).map(|_| Native::new(&dir.join(FILE_NAME))).collect::<Result<_>>()?;
    let guest = |guest: &mut Guest<Loop>, work| guest.run(Loop::Pread as usize, work);
    let map = |map: &mut Native, work| Ok(map.copy_out(work));
    // Starting threads shall be a small part of a turn, and a piece of work likewise: the one
    // that a turn's end interrupts does not count.
    let turn = effort.turn * 4;
    let guest_count = piece(turn / 256, |work| guest(&mut guests[0], work))?;
    let map_count = piece(turn / 256, |work| map(&mut maps[0], work))?;

    let mut rates = vec![[Vec::new(), Vec::new()]; numbers.len()];
    for round in 0..effort.rounds {
        for shift in 0..numbers.len() {
            let which = (round + shift) % numbers.len();
            let threads = numbers[which];
            let [iommap, memcpy] = &mut rates[which];
            let million = |rate: f64| -rate / 1e6;
            let rate = together(&mut guests[..threads], guest_count, turn, round, guest)?;
            iommap.push(million(rate));
            let rate = together(&mut maps[..threads], map_count, turn, round, map)?;
            memcpy.push(million(rate));
        }
    }
    Ok(numbers
        .into_iter()
        .zip(rates)
        .map(|(threads, [mut iommap, mut memcpy])| Throughput {
            threads,
            iommap: -median_and_minimum(&mut iommap).0,
            memcpy: -median_and_minimum(&mut memcpy).0,
        })
        .collect())
}

/// How many operations take about `time`.
fn piece(time: Duration, mut run: impl FnMut(Work) -> Result<u64>) -> Result<u32> {
    let mut count = 1 << 8;
    loop {
        let start = Instant::now();
        run(CASE.work(count, scrambled(0)))?;
        if start.elapsed() > time / 2 || count >= 1 << 24 {
            return Ok(count);
        }
        count *= 2;
    }
}

/// Has all workers do `count` operations again and again for as long as a turn takes, and returns
/// how many of all together were done a second.
fn together<W: Send>(
    workers: &mut [W],
    count: u32,
    turn: Duration,
    round: usize,
    run: impl Fn(&mut W, Work) -> Result<u64> + Sync,
) -> Result<f64> {
    let all = workers.len();
    let ready = Barrier::new(all + 1);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(&mut *workers)
            .map(|(index, worker)| {
                let (ready, over, run) = (&ready, &over, &run);
                scope.spawn(move || {
                    let first = (round * all + index) as u64;
                    ready.wait();
                    let mut done = 0u64;
                    for seed in (first..).step_by(1 << 20).map(scrambled) {
                        let work = CASE.work(count, seed);
                        let state = run(worker, work)?;
                        if over.load(Relaxed) {
                            ensure!(state == work.last_state(1), "a thread made other offsets");
                            break;
                        }
                        done += u64::from(count);
                    }
                    Ok(done)
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        std::thread::sleep(turn);
        over.store(true, Relaxed);
        let time = start.elapsed();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<u64>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let done = threads.into_iter().map(join).sum::<Result<u64>>()?;
        Ok(done as f64 / time.as_secs_f64())
    })
}
