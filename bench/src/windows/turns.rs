//! Measures some ways to do the same in turns, so that what disturbs the machine for a while disturbs
//! all of them.

use crate::numbers::median_and_minimum;
use crate::offsets::scrambled;
use crate::rounds::Effort;
use std::time::Instant;
use wasmtime::{Result, ensure};

/// The most that is done in a turn.
const MOST: u32 = 1 << 24;

/// How often each way is checked for what it does.
const CHECKED: u32 = 7;

/// One way: it is told how often to do it, and where its random numbers start, and returns a sum of
/// what it read.
pub(super) struct Way<'a> {
    pub(super) name: &'static str,
    run: Box<dyn FnMut(u32, u64) -> Result<u64> + 'a>,
}

/// A time in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) median: f64,
    pub(super) minimum: f64,
}

pub(super) fn way<'a>(
    name: &'static str,
    run: impl FnMut(u32, u64) -> Result<u64> + 'a,
) -> Way<'a> {
    Way { name, run: Box::new(run) }
}

/// How long each way takes to do it once. All of them must come to the same sum.
pub(super) fn measure(ways: &mut [Way<'_>], effort: Effort) -> Result<Vec<Time>> {
    let mut sums = Vec::new();
    let mut counts = Vec::new();
    for way in &mut *ways {
        sums.push((way.run)(CHECKED, scrambled(77))?);
        counts.push(warm_up(way, effort)?);
    }
    let names = || ways.iter().map(|way| way.name).collect::<Vec<_>>();
    ensure!(sums.iter().all(|sum| *sum == sums[0]), "{:?} read {sums:?}", names());
    let mut times = vec![Vec::with_capacity(effort.rounds); ways.len()];
    // As in `crate::rounds`: no two of them have the same seed in a row.
    let apart = (effort.rounds / ways.len()).max(1);
    for round in 0..effort.rounds {
        for turn in 0..ways.len() {
            let which = (round + turn) % ways.len();
            let seed = scrambled(((round + which * apart) % effort.rounds) as u64);
            let start = Instant::now();
            (ways[which].run)(counts[which], seed)?;
            times[which].push(start.elapsed().as_nanos() as f64 / f64::from(counts[which]));
        }
    }
    Ok(times.iter_mut().map(|times| time(times)).collect())
}

/// The median and the minimum of some times.
pub(super) fn time(times: &mut [f64]) -> Time {
    let (median, minimum) = median_and_minimum(times);
    Time { median, minimum }
}

/// How often it can be done in a turn.
fn warm_up(way: &mut Way<'_>, effort: Effort) -> Result<u32> {
    let mut count = 1;
    loop {
        let start = Instant::now();
        (way.run)(count, scrambled(u64::from(count) + 1000))?;
        let share = effort.turn.as_secs_f64() / start.elapsed().as_secs_f64();
        if share < 2.0 || count >= MOST {
            return Ok(((f64::from(count) * share) as u32).clamp(1, MOST));
        }
        count = count.saturating_mul(2).min(MOST);
    }
}
