//! Measures a case: rounds in which every contender has its turn, so that what disturbs the
//! machine for a while disturbs all of them.

use crate::arena::Arena;
use crate::cases::Case;
use crate::contenders::{Contender, Task};
use crate::numbers::median_and_minimum;
use crate::offsets::scrambled;
use crate::results::Sample;
use std::time::{Duration, Instant};
use wasmtime::Result;

/// How long and how often is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How long one turn takes, about.
    pub(crate) turn: Duration,
    /// How many turns each contender has.
    pub(crate) rounds: usize,
}

/// The least of a turn's operations: one that takes long still shall not be measured once.
const FEWEST: u32 = 4;
/// The most, so that their number is no matter.
const MOST: u32 = 1 << 24;

/// Measures all contenders of a case.
pub(crate) fn measure(arena: &mut Arena, case: Case, effort: Effort) -> Result<Vec<Sample>> {
    let contenders: Vec<_> = case.contenders().collect();
    let effort = match case.task {
        // A device answers when it likes.
        Task::Sync => Effort { rounds: effort.rounds.div_ceil(3), ..effort },
        _ => effort,
    };
    let mut counts = Vec::new();
    for contender in &contenders {
        counts.push(warm_up(arena, *contender, case, effort.turn)?);
    }
    let mut times = vec![Vec::with_capacity(effort.rounds); contenders.len()];
    // Every contender has every seed once, and no two of them the same one in a row: the second
    // would find the first one's bytes in the cache.
    let apart = (effort.rounds / contenders.len()).max(1);
    for round in 0..effort.rounds {
        for turn in 0..contenders.len() {
            let which = (round + turn) % contenders.len();
            let seed = scrambled(((round + which * apart) % effort.rounds) as u64);
            let work = case.work(counts[which], seed);
            let start = Instant::now();
            arena.run(contenders[which], case.task, work)?;
            let time = start.elapsed();
            let operations = f64::from(work.count) * f64::from(contenders[which].batch());
            times[which].push(time.as_nanos() as f64 / operations);
        }
    }
    Ok(contenders
        .into_iter()
        .zip(times)
        .map(|(contender, mut times)| {
            let (median, minimum) = median_and_minimum(&mut times);
            Sample { case, contender, median, minimum }
        })
        .collect())
}

/// Runs a contender until a run takes as long as a turn should, and returns how many operations
/// that is.
fn warm_up(arena: &mut Arena, contender: Contender, case: Case, turn: Duration) -> Result<u32> {
    let mut count = FEWEST;
    loop {
        let start = Instant::now();
        arena.run(contender, case.task, case.work(count, scrambled(u64::from(count) + 1000)))?;
        let share = turn.as_secs_f64() / start.elapsed().as_secs_f64();
        if share < 2.0 || count >= MOST {
            return Ok(((f64::from(count) * share) as u32).clamp(FEWEST, MOST));
        }
        count = count.saturating_mul(2).min(MOST);
    }
}
