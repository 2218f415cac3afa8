//! Many stores on one file: what the mappings of 1, 100 and 10,000 of them take, with one region
//! for all and with one for each.
//!
//! `cell` measures so many stores in a process of its own, which `memory` looks at from outside;
//! here they are started, one after the other, and put into a table.

mod cell;
mod memory;

use crate::numbers::{bytes, number};
use crate::table::Table;
use cell::{Cell, READS, Way};
use clap::ValueEnum;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use wasmtime::error::Context;
use wasmtime::{Result, bail, ensure, format_err};

/// The section of `performance.md` with the table.
const SECTION: &str = "bench-stores";

/// How many stores there are.
const COUNTS: [usize; 3] = [1, 100, 10_000];

/// Measures and prints the table, and writes it to the directory `out`.
pub(crate) fn run(dir: &Path, quick: bool, out: Option<&Path>) -> Result<()> {
    let table = table(dir, quick)?;
    println!("{table}");
    if let Some(out) = out {
        std::fs::write(out.join(SECTION).with_extension("md"), &table)?;
    }
    Ok(())
}

/// Measures one cell, given how many stores and which way, for who has started this program.
pub(crate) fn cell(cell: &[String], dir: &Path) -> Result<()> {
    let [count, way] = cell else { bail!("a number of stores, and a way") };
    let way = Way::from_str(way, false).map_err(|error| format_err!("{error}"))?;
    println!("{}", cell::measure(dir, count.parse()?, way)?);
    Ok(())
}

/// Measures all of it on the file in `dir`, and says it as text with a table.
fn table(dir: &Path, quick: bool) -> Result<String> {
    let mut rows = Vec::new();
    let mut store = 0;
    for count in COUNTS {
        for way in [Way::Separate, Way::Shared, Way::Lent] {
            // A single store's times are one sample each.
            let runs = match (quick, count) {
                (true, _) => 1,
                (false, 1) => 15,
                (false, 100) => 5,
                (false, _) => 3,
            };
            let cells =
                (0..runs).map(|_| in_a_process(dir, count, way)).collect::<Result<Vec<_>>>()?;
            let cell = Cell::median(&cells);
            store = cell.store;
            rows.push(row(count, way, &cell));
        }
    }
    let head = ["stores", "ranges", "address space", "memory, each", "page tables"];
    let times = ["open, µs", "first reads, µs"];
    let table = Table {
        title: String::new(),
        head: head.iter().chain(&times).map(|name| String::from(*name)).collect(),
        rows,
    };
    let table = table.to_string();
    // It stands below a heading already.
    let mut text = table.split_once("\n\n").map_or(table.as_str(), |(_, rows)| rows).to_owned();
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "\nEach store reads {READS} words at random over 256 MiB. A store with its guest takes {} of \
         memory\nby itself, which is not in the table.",
        bytes(store)
    );
    Ok(text)
}

fn row(count: usize, way: Way, cell: &Cell) -> Vec<String> {
    // What one store takes is lost among the pages of the allocator.
    let memory = if count == 1 { "–".into() } else { bytes(cell.memory) };
    vec![
        format!("{}, {}", number_of(count as u64), way.name()),
        number_of(cell.ranges),
        bytes(cell.address_space),
        memory,
        bytes(cell.page_tables),
        number(cell.open / 1000.0),
        number(cell.read / 1000.0),
    ]
}

/// Starts this program for one cell, and reads what it found.
fn in_a_process(dir: &Path, count: usize, way: Way) -> Result<Cell> {
    let name = way.to_possible_value();
    let name = name.as_ref().map_or("", |name| name.get_name());
    let output = Command::new(std::env::current_exe()?)
        .arg("--stores-cell")
        .args([count.to_string().as_str(), name])
        .arg("--dir")
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start this program again")?;
    ensure!(output.status.success(), "{count} stores, {name}: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    Cell::read(&text).ok_or_else(|| format_err!("{count} stores, {name}: said {text:?}"))
}

fn number_of(value: u64) -> String {
    if value < 10 { value.to_string() } else { number(value as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_as_it_was_said_and_the_median_is_each_numbers_own() {
        let cells = [3, 1, 2].map(|n| Cell { ranges: n, open: 4.0 - n as f64, ..Cell::default() });
        assert_eq!(Cell::read(&cells[0].to_string()), Some(cells[0]));
        assert_eq!(Cell::read("1 2"), None);
        assert_eq!(Cell::median(&cells), Cell { ranges: 2, open: 2.0, ..Cell::default() });
    }

    #[test]
    fn stores_read_what_is_in_the_file_and_take_the_ranges_they_should() {
        let dir = tempfile::tempdir().unwrap();
        crate::file::make(dir.path()).unwrap();
        for (way, ranges) in [(Way::Separate, 5), (Way::Shared, 1), (Way::Lent, 1)] {
            assert_eq!(cell::measure(dir.path(), 5, way).unwrap().ranges, ranges, "{way:?}");
        }
    }

    #[test]
    fn the_document_has_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, section) = text.split_once(&format!("<!-- begin: {SECTION} -->")).unwrap();
        assert!(section.contains("10,000, one region"));
    }
}
