//! One to four threads on the same file, each with a store, a guest and a mapping of its own.

use crate::boundary::{Boundary, Code};
use crate::cases::{Case, Place};
use crate::contenders::Task;
use crate::embedding::{Embedding, FILE_NAME};
use crate::loops::Loop;
use crate::native::Native;
use crate::offsets::{Work, scrambled};
use crate::rounds::{Effort, median_and_minimum};
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use wasmtime::{Result, ensure};

/// The most threads.
pub(crate) const THREADS: usize = 4;

/// What is read.
const CASE: Case = Case { task: Task::Read, place: Place::Hot, size: 64 };

/// Reads a second of all threads together, in millions: medians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    pub(crate) threads: usize,
    /// Through iommap.
    pub(crate) iommap: f64,
    /// By memcpy from a native map: what the machine itself gives to more threads.
    pub(crate) memcpy: f64,
}

/// Measures each number of threads.
pub(crate) fn measure(
    embedding: &Embedding,
    code: &Code,
    dir: &Path,
    effort: Effort,
) -> Result<Vec<Throughput>> {
    let mut guests: Vec<Boundary> =
        (0..THREADS).map(|_| Boundary::new(embedding, code, dir, true)).collect::<Result<_>>()?;
    let mut maps: Vec<Native> =
        (0..THREADS).map(|_| Native::new(&dir.join(FILE_NAME))).collect::<Result<_>>()?;
    let guest = |guest: &mut Boundary, work| guest.run(Loop::Pread, work);
    let map = |map: &mut Native, work| Ok(map.copy_out(work));
    // Starting threads shall be a small part of a turn.
    let turn = effort.turn * 4;
    let guest_count = share(turn, |count| together(&mut guests[..1], count, 0, guest))?;
    let map_count = share(turn, |count| together(&mut maps[..1], count, 0, map))?;

    let mut times = vec![[Vec::new(), Vec::new()]; THREADS];
    for round in 0..effort.rounds {
        for turn in 0..THREADS {
            let threads = (round + turn) % THREADS + 1;
            let [iommap, memcpy] = &mut times[threads - 1];
            let reads = |count: u32, time: Duration| {
                -(f64::from(count) * threads as f64) / time.as_secs_f64() / 1e6
            };
            let time = together(&mut guests[..threads], guest_count, round, guest)?;
            iommap.push(reads(guest_count, time));
            let time = together(&mut maps[..threads], map_count, round, map)?;
            memcpy.push(reads(map_count, time));
        }
    }
    Ok((1..)
        .zip(times)
        .map(|(threads, [mut iommap, mut memcpy])| Throughput {
            threads,
            iommap: -median_and_minimum(&mut iommap).0,
            memcpy: -median_and_minimum(&mut memcpy).0,
        })
        .collect())
}

/// How many operations take as long as a turn should.
fn share(turn: Duration, mut run: impl FnMut(u32) -> Result<Duration>) -> Result<u32> {
    let mut count = 1 << 12;
    loop {
        let time = run(count)?;
        if time > turn / 2 || count >= 1 << 26 {
            return Ok((f64::from(count) * turn.as_secs_f64() / time.as_secs_f64()) as u32);
        }
        count *= 2;
    }
}

/// Has all workers do `count` operations at the same time, and returns how long they took from
/// the first one's start to the last one's end.
fn together<W: Send>(
    workers: &mut [W],
    count: u32,
    round: usize,
    run: impl Fn(&mut W, Work) -> Result<u64> + Sync,
) -> Result<Duration> {
    let barrier = Barrier::new(workers.len());
    let spans = std::thread::scope(|scope| {
        let threads: Vec<_> = (0u64..)
            .zip(&mut *workers)
            .map(|(index, worker)| {
                let (barrier, run) = (&barrier, &run);
                scope.spawn(move || {
                    let work = CASE.work(count, scrambled(round as u64 * THREADS as u64 + index));
                    barrier.wait();
                    let start = Instant::now();
                    let state = run(worker, work)?;
                    let end = Instant::now();
                    ensure!(state == work.last_state(1), "a thread made other offsets");
                    Ok((start, end))
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<(Instant, Instant)>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let start = spans.iter().map(|span| span.0).min();
    let end = spans.iter().map(|span| span.1).max();
    Ok(end.zip(start).map_or(Duration::ZERO, |(end, start)| end - start))
}
