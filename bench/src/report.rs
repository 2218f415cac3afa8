//! `docs/performance.md`: what was measured, on what, and how to read it.

use crate::goals::{Goal, summary};
use crate::plot;
use crate::results::Results;
use crate::table::{self, Table};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use wasmtime::Result;
use wasmtime::error::Context;

/// How the numbers came about.
pub(crate) struct Circumstances {
    /// What and which, from `machine.rs`.
    pub(crate) machine: Vec<(&'static str, String)>,
    /// Load before and after.
    pub(crate) load: [String; 2],
    /// Was it a quick run?
    pub(crate) quick: bool,
    /// How often each contender had its turn.
    pub(crate) rounds: usize,
}

const INTRODUCTION: &str = "\
# Performance

A WebAssembly component that reads a file through iommap asks its host, and the host copies the
bytes once, from the page of the file into the component's memory. This page says what that costs,
beside what one would use otherwise. It was written by `cargo xtask bench`, which measures all of
it anew on your machine.
";

const READING: &str = "\
## How to read this

All loops run where the caller is: in wasm for a component's calls, natively for the others, with
the same offsets in the same order. An operation's offset is a multiple of its size. The file is
256 MiB, wholly in the page cache and mapped before anything is measured, so no number here holds
a disk, except for those of making bytes durable. Every byte that a contender reads or writes is
checked before its time is taken.

Contenders take turns, many rounds of them. Each number is the median of its rounds, with the
quickest round in brackets. Compare numbers within a run; from one machine to another, or to a
busier one, only their ratios carry over.

- *Native memcpy* is a Rust program's loop over a map of the file: no component, no checks, and
  dead as soon as somebody cuts the file. It is the floor.
- *pread(2)* and *pwrite(2)* are the system calls from the same program.
- *The empty component call* is a call from a component to a host function that does nothing; with
  a *borrowed resource* the host looks one object up. They are wasmtime's share of a call, and what
  no interface can do better.
- *iommap* is called by a component written by hand with the simplest allocator there is, to show
  the boundary itself; *Rust guest* is one that uses the bindings as everybody does. An *item of
  64* is one range of a batched call with 64 of them.
- *wasi:filesystem* is `descriptor.read` and `descriptor.write` of wasmtime-wasi, on a sync store,
  called by the component written by hand. By default wasmtime-wasi hands each call to another
  thread; an embedder may allow it to block the calling one. It reads at most 64 KiB a call, so
  1 MiB takes 16.

A read of a page that the process has not touched before is another matter: the page fault costs
some microseconds, by `mmap` as by iommap. `populate`, or `advise` with `willneed`, takes it out
of the way.
";

/// Writes the report and its plot to a directory.
pub(crate) fn write(
    dir: &Path,
    circumstances: &Circumstances,
    results: &Results,
    goals: &[Goal],
) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    plot::draw(results, &dir.join("performance.svg"))?;
    let path = dir.join("performance.md");
    fs::write(&path, text(circumstances, results, goals))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn text(circumstances: &Circumstances, results: &Results, goals: &[Goal]) -> String {
    let mut text = String::from(INTRODUCTION);
    text += "\n![Time of an operation over its size, for each contender](performance.svg)\n\n";
    text += READING;
    text += "\n## The machine\n\n| | |\n|---|---|\n";
    for (what, which) in &circumstances.machine {
        put(&mut text, format_args!("| {what} | {which} |"));
    }
    let [before, after] = &circumstances.load;
    let kind = if circumstances.quick { "a quick run" } else { "a full run" };
    let rounds = circumstances.rounds;
    put(&mut text, format_args!("| run | {kind}, {rounds} rounds |"));
    put(&mut text, format_args!("| load | {before} before, {after} after; the run itself is 1 |"));
    text += "\n## The numbers\n";
    for table in table::all(results) {
        put(&mut text, format_args!("\n{}", table.to_string().trim_end()));
    }
    text += "\n## The goals\n\nRatios of medians of this run.\n\n";
    // A heading of its own would say it twice.
    let goals_table = goals_table(goals).to_string();
    text += goals_table.split_once("\n\n").map_or("", |(_, rows)| rows);
    let last = summary(goals);
    put(&mut text, format_args!("\n{}", last.lines().last().unwrap_or_default()));
    text
}

/// The goals as a table.
pub(crate) fn goals_table(goals: &[Goal]) -> Table {
    let row = |goal: &Goal| {
        let met = if goal.met() { "met" } else { "missed" };
        vec![goal.what.clone(), goal.bound.to_string(), format!("{:.2}", goal.value), met.into()]
    };
    Table {
        title: "Goals".into(),
        head: ["", "goal", "measured", ""].map(String::from).into(),
        rows: goals.iter().map(row).collect(),
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{line}");
}
