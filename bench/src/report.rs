//! What was measured, and on what, as sections of `docs/performance.md`, which says how to read them.

use crate::goals::{Goal, summary};
use crate::table::Table;
use std::fmt::Write;
use std::path::Path;
use wasmtime::Result;

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

/// The sections of `performance.md` that a run writes. The rest of it is prose, and the sections
/// of others.
const MACHINE: &str = "bench-machine";
const NUMBERS: &str = "bench-numbers";
const GOALS: &str = "bench-goals";

/// Writes a file into a directory for each section.
pub(crate) fn write(
    dir: &Path,
    circumstances: &Circumstances,
    tables: &[Table],
    goals: &[Goal],
) -> Result<()> {
    let sections = [
        (MACHINE, machine(circumstances)),
        (NUMBERS, numbers(tables)),
        (GOALS, goals_reached(goals)),
    ];
    for (name, text) in sections {
        std::fs::write(dir.join(name).with_extension("md"), text)?;
    }
    Ok(())
}

fn machine(circumstances: &Circumstances) -> String {
    let mut text = String::from("| | |\n|---|---|\n");
    for (what, which) in &circumstances.machine {
        put(&mut text, format_args!("| {what} | {which} |"));
    }
    let [before, after] = &circumstances.load;
    let kind = if circumstances.quick { "a quick run" } else { "a full run" };
    let rounds = circumstances.rounds;
    put(&mut text, format_args!("| run | {kind}, {rounds} rounds |"));
    put(&mut text, format_args!("| load | {before} before, {after} after; the run itself is 1 |"));
    text
}

fn numbers(tables: &[Table]) -> String {
    tables.iter().map(Table::to_string).collect::<Vec<_>>().join("\n")
}

fn goals_reached(goals: &[Goal]) -> String {
    let goals_table = goals_table(goals).to_string();
    // A heading of its own would say it twice.
    let rows = goals_table.split_once("\n\n").map_or("", |(_, rows)| rows);
    let last = summary(goals);
    format!("{rows}\n{}\n", last.lines().last().unwrap_or_default())
}

/// The goals as a table.
pub(crate) fn goals_table(goals: &[Goal]) -> Table {
    let row = |goal: &Goal| {
        let (value, met) = match (goal.measured(), goal.met()) {
            (false, _) => ("-".into(), "not measured"),
            (true, true) => (format!("{:.2}", goal.value), "met"),
            (true, false) => (format!("{:.2}", goal.value), "missed"),
        };
        vec![goal.what.clone(), goal.bound.to_string(), value, met.into()]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_sections_that_a_run_writes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (name, holds) in [(MACHINE, "processor"), (NUMBERS, "memcpy"), (GOALS, "goals: ")] {
            let (_, section) = text.split_once(&format!("<!-- begin: {name} -->")).unwrap();
            assert!(section.contains(holds), "{name}");
        }
    }
}
