//! The goals: mostly ratios of medians of the same run, on the boundary guest and a sync store.

use crate::cases::{Case, Place};
use crate::contenders::{Contender, Task};
use crate::results::Results;
use std::fmt;

/// What a ratio is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(bound) => write!(f, "at most {bound}"),
            Bound::AtLeast(bound) => write!(f, "at least {bound}"),
        }
    }
}

/// One goal and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    /// Not a number if it was not measured.
    pub(crate) value: f64,
}

impl Goal {
    pub(crate) fn measured(&self) -> bool {
        !self.value.is_nan()
    }

    pub(crate) fn met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.value <= bound,
            Bound::AtLeast(bound) => self.value >= bound,
        }
    }
}

/// A goal in terms of two contenders: how many times as long the first takes as the second.
struct Ratio {
    what: &'static str,
    of: Contender,
    to: Contender,
    task: Task,
    place: Place,
    size: u32,
    bound: Bound,
}

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;

#[rustfmt::skip]
fn ratios() -> Vec<Ratio> {
    use Bound::{AtLeast, AtMost};
    use Contender::{Batched, Borrowed, Memcpy, MemcpyBatched, Rust, Single, WasiBlocking, WasiDefault};
    use Place::{Hot, Random};
    use Task::{Read, Write};
    let goal = |what, of, to, task, place, size, bound| {
        Ratio { what, of, to, task, place, size, bound }
    };
    vec![
        goal("pread 8 B, hot: times an empty call with a borrowed resource", Single, Borrowed, Read, Hot, 8, AtMost(1.8)),
        goal("pread 64 B, hot: times an empty call with a borrowed resource", Single, Borrowed, Read, Hot, 64, AtMost(1.8)),
        goal("pread 4 KiB, random: times native memcpy", Single, Memcpy, Read, Random, 4 * KIB, AtMost(1.4)),
        goal("pread 64 KiB, random: times native memcpy", Single, Memcpy, Read, Random, 64 * KIB, AtMost(1.08)),
        goal("pread 1 MiB, random: times native memcpy", Single, Memcpy, Read, Random, MIB, AtMost(1.08)),
        goal("pwrite 64 KiB, random: times native memcpy", Single, Memcpy, Write, Random, 64 * KIB, AtMost(1.1)),
        goal("pwrite 1 MiB, random: times native memcpy", Single, Memcpy, Write, Random, MIB, AtMost(1.1)),
        goal("pread-many, an item of 8 B, hot: times native memcpy", Batched, Memcpy, Read, Hot, 8, AtMost(4.0)),
        goal("pread-many, an item of 8 B, random: times native memcpy", Batched, Memcpy, Read, Random, 8, AtMost(1.3)),
        goal("pread-many, an item of 4 KiB, hot: times native memcpy of as many", Batched, MemcpyBatched, Read, Hot, 4 * KIB, AtMost(1.6)),
        goal("wasi read with blocking allowed, 8 B, random: times iommap", WasiBlocking, Single, Read, Random, 8, AtLeast(3.0)),
        goal("wasi read with blocking allowed, 64 KiB, hot: times iommap", WasiBlocking, Single, Read, Hot, 64 * KIB, AtLeast(2.8)),
        goal("wasi read with blocking allowed, 1 MiB, hot: times iommap", WasiBlocking, Single, Read, Hot, MIB, AtLeast(3.0)),
        goal("wasi read by default, 8 B, random: times iommap", WasiDefault, Single, Read, Random, 8, AtLeast(40.0)),
        goal("the Rust guest's pread 8 B, hot: times the boundary guest's", Rust, Single, Read, Hot, 8, AtMost(1.5)),
    ]
}

/// Every goal.
pub(crate) fn check(results: &Results) -> Vec<Goal> {
    let mut goals: Vec<_> = ratios()
        .into_iter()
        .map(|Ratio { what, of, to, task, place, size, bound }| {
            let median = |contender| {
                let sample = results.sample(Case { task, place, size }, contender);
                sample.map_or(f64::NAN, |sample| sample.median)
            };
            Goal { what: what.into(), bound, value: median(of) / median(to) }
        })
        .collect();
    // How much faster more threads are together, held against what the machine gives to memcpy.
    let scaling = results
        .threads
        .first()
        .zip(results.threads.last())
        .map(|(one, all)| (all.threads, (all.iommap / one.iommap) / (all.memcpy / one.memcpy)));
    let (threads, value) = scaling.unwrap_or((0, f64::NAN));
    goals.push(Goal {
        what: format!("{threads} threads, a store each, 64 B, hot: scaling, times native memcpy's"),
        bound: Bound::AtLeast(0.95),
        value,
    });
    goals
}

/// The lines that end a run: one for each goal that is missed, and the counts.
pub(crate) fn summary(goals: &[Goal]) -> String {
    let missed: String = goals
        .iter()
        .filter(|goal| goal.measured() && !goal.met())
        .map(|goal| format!("missed: {} {:.2}, {}\n", goal.what, goal.value, goal.bound))
        .collect();
    let met = goals.iter().filter(|goal| goal.met()).count();
    let measured = goals.iter().filter(|goal| goal.measured()).count();
    let rest = match goals.len() - measured {
        0 => String::new(),
        rest => format!(", {rest} not measured"),
    };
    format!("{missed}goals: {met} of {measured} met{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(value: f64, bound: Bound) -> Goal {
        Goal { what: "reading".into(), bound, value }
    }

    #[test]
    fn goals_missed_have_a_line_and_the_counts_are_last() {
        let goals = [
            goal(1.8, Bound::AtMost(1.8)),
            goal(2.0, Bound::AtMost(1.8)),
            goal(3.0, Bound::AtLeast(3.0)),
            goal(f64::NAN, Bound::AtLeast(3.0)),
        ];
        assert_eq!(
            summary(&goals),
            "missed: reading 2.00, at most 1.8\ngoals: 2 of 3 met, 1 not measured"
        );
    }

    #[test]
    fn every_goal_is_about_something_that_is_measured() {
        for Ratio { what, of, to, task, place, size, .. } in ratios() {
            let case = Case { task, place, size };
            assert!(Case::all().contains(&case), "{what}");
            for contender in [of, to] {
                assert!(case.contenders().any(|each| each == contender), "{what}");
            }
        }
    }
}
