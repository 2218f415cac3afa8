//! The benchmark: what a call through a mapping costs, beside what a user would pick otherwise.
//!
//! `cargo xtask bench` builds and runs it. One program, one run: `cases` says what is measured,
//! `contenders` who takes part, `arena` what each does, `rounds` how, `verify` that all of them do what they claim;
//! `table`, `plot`, `goals` and `report` say what came of it.
//!
//! `stores` is a table of its own: many stores on one file. `windows` has tables of its own, and goals.
//!
//! The guests: `guest.wat` with `loops`, hand-written, made by `boundary`; and `bench/guest`, in Rust,
//! made by `rust_guest`; both are driven as `guest` says. `native` is what there is without wasm.

mod arena;
mod boundary;
mod cases;
mod contenders;
mod embedding;
mod file;
mod goals;
mod guest;
mod loops;
mod machine;
mod native;
mod numbers;
mod offsets;
mod plot;
mod report;
mod results;
mod rounds;
mod rust_guest;
mod stores;
mod table;
mod threads;
mod verify;
mod windows;

use crate::arena::Arena;
use crate::boundary::Code;
use crate::cases::Case;
use crate::contenders::Task;
use crate::embedding::Embedding;
use crate::report::Circumstances;
use crate::results::Results;
use crate::rounds::Effort;
use crate::windows::{Measured, Setting};
use clap::Parser;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wasmtime::Result;
use wasmtime::component::Component;
use wasmtime::error::Context;

/// Measures calls through a mapping beside what a user would pick otherwise
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The benchmark's guest in Rust, a component
    #[arg(long, required_unless_present_any = ["stores", "stores_cell"])]
    rust_guest: Option<PathBuf>,
    /// A database of countries, for lookups through windows [default: one that is made]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Only windows
    #[arg(long)]
    windows: bool,
    /// Fewer and shorter rounds: less than two minutes
    #[arg(long)]
    quick: bool,
    /// Only check that every contender does what it is measured for
    #[arg(long)]
    check: bool,
    /// Only cases whose name holds this, as in "read hot 8 b"
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only many stores on one file
    #[arg(long)]
    stores: bool,
    /// One cell of that table, for the file in --dir: how this program starts itself
    #[arg(long, hide = true, num_args = 2, value_names = ["COUNT", "WAY"], requires = "dir")]
    stores_cell: Option<Vec<String>>,
    /// A directory for what docs/performance.md has of this program: a file for each section, and
    /// performance.svg [default: none]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to put the file of 256 MiB [default: the system's directory for such]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let (Some(cell), Some(dir)) = (&cli.stores_cell, &cli.dir) {
        return stores::cell(cell, dir);
    }
    let effort = match cli.quick {
        true => Effort { turn: Duration::from_millis(6), rounds: 21 },
        false => Effort { turn: Duration::from_millis(16), rounds: 61 },
    };
    let start = Instant::now();
    let before = machine::load();
    let dir = match &cli.dir {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    };
    let dir = dir.context("no directory for the file")?;
    if let Some(out) = &cli.out {
        std::fs::create_dir_all(out)?;
    }
    file::make(dir.path())?;
    // A part of a full run, while the file is as it was made.
    let full = cli.out.is_some() && cli.only.is_none() && !cli.windows && !cli.check;
    if cli.stores || full {
        eprintln!("{:>4} s  many stores on one file", start.elapsed().as_secs());
        stores::run(dir.path(), cli.quick, cli.out.as_deref())?;
        if cli.stores {
            return Ok(());
        }
    }
    let embedding = Embedding::new()?;
    let code = Code::new(&embedding)?;
    let rust_guest = cli.rust_guest.as_deref().context("--rust-guest is missing")?;
    let component = Component::from_file(&embedding.engine, rust_guest)
        .with_context(|| format!("no guest in {}", rust_guest.display()))?;
    let mut arena = Arena::new(&embedding, &code, &component, dir.path())?;

    let (mut results, mut windows) = (Results::default(), Measured::default());
    // While the file is as it was made.
    if cli.only.is_none() && !cli.check {
        eprintln!("{:>4} s  windows", start.elapsed().as_secs());
        windows = windows::run(Setting {
            embedding: &embedding,
            code: &code,
            component: &component,
            dir: dir.path(),
            database: cli.database.as_deref(),
            effort,
        })?;
    }
    for case in Case::all() {
        if cli.windows || cli.only.as_ref().is_some_and(|only| !case.to_string().contains(only)) {
            continue;
        }
        for contender in case.contenders() {
            verify::contender(&mut arena, contender, case)?;
        }
        if cli.check {
            continue;
        }
        // Before the first write, while the file is as it was made.
        if case.task == Task::Write && results.threads.is_empty() && cli.only.is_none() {
            eprintln!("{:>4} s  threads", start.elapsed().as_secs());
            results.threads = threads::measure(&embedding, &code, dir.path(), effort)?;
        }
        if matches!(case.task, Task::Write | Task::Sync) {
            arena.settle(case)?;
        }
        eprintln!("{:>4} s  {case}", start.elapsed().as_secs());
        results.samples.extend(rounds::measure(&mut arena, case, effort)?);
    }
    if cli.check {
        println!("every contender does what it is measured for");
        return Ok(());
    }

    let mut goals = goals::check(&results);
    goals.extend(windows.goals);
    let mut tables = table::all(&results);
    tables.extend(windows.tables);
    for table in &tables {
        println!("{table}");
    }
    println!("{}", report::goals_table(&goals));
    if let Some(out) = &cli.out {
        let circumstances = Circumstances {
            machine: machine::describe(dir.path()),
            load: [before, machine::load()],
            quick: cli.quick,
            rounds: effort.rounds,
        };
        plot::draw(&results, &out.join("performance.svg"))?;
        report::write(out, &circumstances, &tables, &goals)?;
    }
    println!("{}", goals::summary(&goals));
    Ok(())
}
