//! Tables: what the terminal shows and what stands in the report are the same.

use crate::cases::{Case, Place};
use crate::contenders::{Contender, Task};
use crate::numbers::{bytes, number};
use crate::results::{Results, Sample};
use std::fmt;

/// A table with a title, for Markdown and for people.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> =
            (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect();
        writeln!(f, "### {}\n", self.title)?;
        for (line, row) in all().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if line == 0 {
                for (column, width) in widths.iter().enumerate() {
                    match column {
                        0 => write!(f, "| {:-<width$} |", "")?,
                        _ => write!(f, " {:->width$}: |", "", width = width - 1)?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Every table of a run.
pub(crate) fn all(results: &Results) -> Vec<Table> {
    let nanoseconds =
        |sample: &Sample| format!("{} ({})", number(sample.median), number(sample.minimum));
    let throughput = |sample: &Sample| {
        let gigabytes = |ns: f64| format!("{:.1}", f64::from(sample.case.size) / ns);
        format!("{} ({})", gigabytes(sample.median), gigabytes(sample.minimum))
    };
    let mut tables = vec![
        by_size(
            results,
            Task::Read,
            Place::Hot,
            "Reading at random in a hot set of 64 KiB (1 MiB: always the same)",
            nanoseconds,
        ),
        by_size(results, Task::Read, Place::Random, "Reading at random over 256 MiB", nanoseconds),
        by_size(
            results,
            Task::Write,
            Place::Hot,
            "Writing at random in a hot set of 64 KiB",
            nanoseconds,
        ),
        by_size(results, Task::Write, Place::Random, "Writing at random over 256 MiB", nanoseconds),
    ];
    for table in &mut tables {
        table.title += ", ns an operation";
    }
    for (task, title) in [(Task::Read, "Reading"), (Task::Write, "Writing")] {
        let title = format!("{title} 256 MiB from front to back, GB/s");
        tables.push(by_size(results, task, Place::Sequence, &title, throughput));
    }
    tables.push(single(results, Task::Open, "Opening and closing the file, µs"));
    tables.push(single(results, Task::Sync, "Making 8 bytes durable: one dirty page, µs"));
    tables.push(threads(results));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn by_size(
    results: &Results,
    task: Task,
    place: Place,
    title: &str,
    show: impl Fn(&Sample) -> String,
) -> Table {
    let sizes = results.sizes(task, place);
    let head = std::iter::once(String::new()).chain(sizes.iter().map(|size| bytes((*size).into())));
    let row = |contender: Contender| {
        let samples: Vec<_> = sizes
            .iter()
            .map(|size| results.sample(Case { task, place, size: *size }, contender))
            .collect();
        samples.iter().any(Option::is_some).then(|| {
            let cells = samples.iter().map(|sample| sample.map_or_else(|| "–".into(), &show));
            std::iter::once(contender.name(task).into()).chain(cells).collect()
        })
    };
    Table {
        title: title.into(),
        head: head.collect(),
        rows: Contender::all(task).iter().filter_map(|contender| row(*contender)).collect(),
    }
}

fn single(results: &Results, task: Task, title: &str) -> Table {
    let case = Case { task, place: Place::Random, size: 8 };
    let row = |contender: &Contender| {
        let sample = results.sample(case, *contender)?;
        let micro = |ns: f64| number(ns / 1000.0);
        Some(vec![
            contender.name(task).into(),
            format!("{} ({})", micro(sample.median), micro(sample.minimum)),
        ])
    };
    Table {
        title: title.into(),
        head: vec![String::new(), "time".into()],
        rows: Contender::all(task).iter().filter_map(row).collect(),
    }
}

fn threads(results: &Results) -> Table {
    let first = results.threads.first();
    let of_one = |all: f64, one: Option<f64>| match one {
        Some(one) => format!("{all:.1} ({:.2}×)", all / one),
        None => format!("{all:.1}"),
    };
    Table {
        title: "Reading 64 B, hot, by several threads with a store each, millions a second".into(),
        head: ["threads", "iommap pread", "native memcpy"].map(String::from).into(),
        rows: results
            .threads
            .iter()
            .map(|row| {
                vec![
                    row.threads.to_string(),
                    of_one(row.iommap, first.map(|one| one.iommap)),
                    of_one(row.memcpy, first.map(|one| one.memcpy)),
                ]
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_in_columns() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let table = Table {
            title: "Reading".into(),
            head: row(["", "8 B"]),
            rows: vec![row(["pread(2)", "1,234"])],
        };
        let expected = "### Reading\n\n\
                        |          |   8 B |\n\
                        | -------- | ----: |\n\
                        | pread(2) | 1,234 |\n";
        assert_eq!(table.to_string(), expected);
    }
}
