//! Windows: bytes of the file in the guest's own memory, beside the same natively and by calls.
//!
//! `guest` drives the Rust guest's loops, `native` is the same without wasm, `turns` measures; `life`
//! is what windows cost that come and go.

mod database;
mod guest;
mod life;
mod native;
mod turns;

use crate::boundary::Code;
use crate::embedding::{Embedding, FILE_NAME};
use crate::goals::{Bound, Goal};
use crate::numbers::{bytes, number};
use crate::offsets::{FILE_BYTES, HOT_BYTES};
use crate::rounds::Effort;
use crate::table::Table;
use guest::{Guest, Task};
use native::Native;
use std::cell::RefCell;
use std::path::Path;
use turns::{Time, measure, way};
use wasmtime::Result;
use wasmtime::component::Component;

/// What came of windows.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) tables: Vec<Table>,
    pub(crate) goals: Vec<Goal>,
}

/// What is measured with.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) embedding: &'a Embedding,
    pub(crate) code: &'a Code,
    pub(crate) component: &'a Component,
    pub(crate) dir: &'a Path,
    /// A database of countries. If there is none, one is made.
    pub(crate) database: Option<&'a Path>,
    pub(crate) effort: Effort,
}

impl Setting<'_> {
    /// For what takes longer than a turn.
    fn longer(&self) -> Effort {
        Effort { rounds: self.effort.rounds.div_ceil(3), ..self.effort }
    }

    fn guest(&self) -> Result<Guest> {
        Guest::new(self.embedding, self.component, self.dir)
    }
}

/// Measures all of it.
pub(crate) fn run(setting: Setting<'_>) -> Result<Measured> {
    let mut measured = Measured::default();
    let native = Native::new(&setting.dir.join(FILE_NAME))?;
    let mut guest = setting.guest()?;
    guest.open(FILE_NAME, FILE_BYTES)?;
    let guest = RefCell::new(guest);
    // Every page of the window was touched once.
    guest.borrow_mut().run(Task::Pass, 1, 0, 0, 1)?;
    words(setting, &native, &guest, &mut measured)?;
    copies(setting, &native, &guest, &mut measured)?;
    pass(setting, &native, &guest, &mut measured)?;
    once(setting, &guest, &mut measured)?;
    drop((native, guest));
    life::sliding(setting, &mut measured)?;
    database::lookups(setting, &mut measured)?;
    life::instances(setting, &mut measured)?;
    life::lost_pages(setting, &mut measured)?;
    Ok(measured)
}

impl Measured {
    fn goal(&mut self, what: impl Into<String>, bound: Bound, value: f64) {
        self.goals.push(Goal { what: what.into(), bound, value });
    }

    fn table(&mut self, title: &str, head: &[&str], rows: Vec<Vec<String>>) {
        let head = std::iter::once("").chain(head.iter().copied()).map(String::from).collect();
        self.tables.push(Table { title: title.into(), head, rows });
    }
}

/// A row for each way, with a column for each time of it.
fn rows(names: &[&str], columns: &[Vec<Time>], show: impl Fn(Time) -> String) -> Vec<Vec<String>> {
    let row = |(index, name): (usize, &&str)| {
        let cells = columns.iter().map(|column| show(column[index]));
        std::iter::once((*name).into()).chain(cells).collect()
    };
    names.iter().enumerate().map(row).collect()
}

fn nanoseconds(time: Time) -> String {
    format!("{} ({})", number(time.median), number(time.minimum))
}

fn microseconds(time: Time) -> String {
    format!("{} ({})", number(time.median / 1000.0), number(time.minimum / 1000.0))
}

/// The two places: the mask of offsets that are multiples of `size`.
fn masks(size: u64) -> [u64; 2] {
    [HOT_BYTES - size, FILE_BYTES - size]
}

const PLACES: [&str; 2] = ["hot, 64 KiB", "at random, 256 MiB"];

/// A word at a time.
fn words(
    setting: Setting<'_>,
    native: &Native,
    guest: &RefCell<Guest>,
    measured: &mut Measured,
) -> Result<()> {
    let mut columns = Vec::new();
    for mask in masks(8) {
        let run = |task| move |count, seed| guest.borrow_mut().run(task, count, 0, mask, seed);
        let mut ways = [
            way("native load from a map", |count, seed| Ok(native.load(mask, count, seed))),
            way("guest, a load from a window", run(Task::Load)),
            way("guest, Window::u64_le_at", run(Task::Number)),
            way("guest, read_array by a call", run(Task::Pread)),
        ];
        columns.push(measure(&mut ways, setting.effort)?);
    }
    let names = [
        "native load from a map",
        "guest, a load from a window",
        "guest, Window::u64_le_at",
        "guest, read_array by a call",
    ];
    measured.table("Windows: reading 8 B, ns", &PLACES, rows(&names, &columns, nanoseconds));
    let times = |place: usize, way: usize| columns[place][way].median / columns[place][0].median;
    let at_most = Bound::AtMost;
    measured.goal("windows: a load, hot: times a native one", at_most(1.05), times(0, 1));
    measured.goal("windows: a load, random: times a native one", at_most(1.15), times(1, 1));
    measured.goal("windows: u64_le_at, random: times a native load", at_most(2.0), times(1, 2));
    Ok(())
}

/// 64 bytes at a time.
fn copies(
    setting: Setting<'_>,
    native: &Native,
    guest: &RefCell<Guest>,
    measured: &mut Measured,
) -> Result<()> {
    let names = [
        "native memcpy from a map",
        "guest, Window::read_exact_at",
        "guest, read_exact_at by a call",
    ];
    let mut columns = Vec::new();
    for mask in masks(64) {
        let run = |task| move |count, seed| guest.borrow_mut().run(task, count, 0, mask, seed);
        let mut ways = [
            way(names[0], |count, seed| Ok(native.copy(mask, count, seed))),
            way(names[1], run(Task::Copy)),
            way(names[2], run(Task::PreadCopy)),
        ];
        columns.push(measure(&mut ways, setting.effort)?);
    }
    let rows = rows(&names, &columns, nanoseconds);
    measured.table("Windows: copying 64 B and their sum, ns", &PLACES, rows);
    Ok(())
}

/// One pass over the file.
fn pass(
    setting: Setting<'_>,
    native: &Native,
    guest: &RefCell<Guest>,
    measured: &mut Measured,
) -> Result<()> {
    let names = [
        "native over a map",
        "guest over a window",
        "guest, calls of 64 KiB",
        "guest, calls of 1 MiB",
    ];
    let run = |task, size| move |count, seed| guest.borrow_mut().run(task, count, size, 0, seed);
    let mut ways = [
        way(names[0], |count, _| Ok(native.pass(count))),
        way(names[1], run(Task::Pass, 0)),
        way(names[2], run(Task::PreadPass, 64 << 10)),
        way(names[3], run(Task::PreadPass, 1 << 20)),
    ];
    let times = measure(&mut ways, setting.longer())?;
    let rate = |ns: f64| format!("{:.1}", FILE_BYTES as f64 / ns);
    let show = |time: Time| format!("{} ({})", rate(time.median), rate(time.minimum));
    let value = times[0].median / times[1].median;
    let rows = rows(&names, &[times], show);
    measured.table("Windows: one pass over 256 MiB, summed up, GB/s", &["rate"], rows);
    let what = "windows: one pass: of the native rate";
    measured.goal(what, Bound::AtLeast(0.93), value);
    Ok(())
}

/// One use at a random place.
fn once(setting: Setting<'_>, guest: &RefCell<Guest>, measured: &mut Measured) -> Result<()> {
    let names = ["guest, a window, opened and dropped", "guest, a call"];
    let sizes = [4 << 10, 64 << 10, 1 << 20, 16 << 20];
    let mut columns = Vec::new();
    for size in sizes {
        // On what a window begins at.
        let mask = FILE_BYTES - u64::from(size).max(64 << 10);
        let run = |task| move |count, seed| guest.borrow_mut().run(task, count, size, mask, seed);
        let mut ways = [way(names[0], run(Task::Once)), way(names[1], run(Task::PreadOnce))];
        columns.push(measure(&mut ways, setting.longer())?);
    }
    let head = sizes.map(|size| bytes(size.into()));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut rows = rows(&names, &columns, microseconds);
    let ratio = |column: &Vec<Time>| format!("{:.2}", column[0].median / column[1].median);
    let ratios = columns.iter().map(ratio);
    rows.push(
        std::iter::once("the window's time, times the call's".into()).chain(ratios).collect(),
    );
    let title = "Windows: one use at a random place, summed up, µs";
    measured.table(title, &head, rows);
    Ok(())
}
