//! What windows cost that come and go: those that slide over a file, instances that may have some, and
//! pages that are lost.

use super::guest::Task;
use super::turns::{measure, time, way};
use super::{Measured, Setting, microseconds, nanoseconds, rows};
use crate::goals::Bound;
use crate::offsets::content;
use crate::rounds::Effort;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;
use wasmtime::component::InstancePre;
use wasmtime::{Result, Store};

/// A file of holes but for its beginning.
const SPARSE: &str = "sparse";
const SPARSE_BYTES: u64 = 1 << 40;
const WRITTEN: usize = 16 << 20;

/// A place's bytes less one read, and after how many reads it moves.
const MOVES: [(&str, u64, u32); 4] = [
    ("in one place of 1 MiB", (1 << 20) - 64, 0),
    ("1 MiB, another place every 100,000 reads", (1 << 20) - 64, 100_000),
    ("1 MiB, another place every 1,000 reads", (1 << 20) - 64, 1000),
    ("16 MiB, another place every 1,000,000 reads", (16 << 20) - 64, 1_000_000),
];

/// Windows that slide over a file of a TiB.
pub(super) fn sliding(setting: Setting<'_>, measured: &mut Measured) -> Result<()> {
    let file = File::create(setting.dir.join(SPARSE))?;
    file.write_all_at(&content(0, WRITTEN), 0)?;
    file.set_len(SPARSE_BYTES)?;
    let mut guest = setting.guest()?;
    guest.open(SPARSE, 0)?;
    let guest = &RefCell::new(guest);
    let names = ["guest, windows that slide", "guest, calls"];
    let mut table = Vec::new();
    for (index, (what, mask, stay)) in MOVES.into_iter().enumerate() {
        let run = |task| move |count, seed| guest.borrow_mut().run(task, count, stay, mask, seed);
        let mut ways = [way(names[0], run(Task::Slide)), way(names[1], run(Task::PreadSlide))];
        // Long enough for places to move.
        let effort = setting.longer();
        let effort = Effort { turn: effort.turn * 4, ..effort };
        let times = measure(&mut ways, effort)?;
        if index == 0 {
            let what = "windows: sliding over 1 TiB, 64 B in one place: ns";
            measured.goal(what, Bound::AtMost(20.0), times[0].median);
        }
        let cells = times.into_iter().map(nanoseconds);
        table.push(std::iter::once(what.into()).chain(cells).collect());
    }
    let title = "Windows: 64 B and their sum, at random in a file of 1 TiB, ns";
    measured.table(title, &names, table);
    Ok(std::fs::remove_file(setting.dir.join(SPARSE))?)
}

/// Stores with an instance each.
pub(super) fn instances(setting: Setting<'_>, measured: &mut Measured) -> Result<()> {
    let names = ["a host without windows", "a host with windows"];
    let Setting { embedding, code, dir, .. } = setting;
    let one = |windows: bool| -> Result<_> {
        let linker = if windows { &embedding.linker } else { &embedding.without };
        let ready: InstancePre<_> = linker.instantiate_pre(code.component())?;
        let mut context = embedding.context(dir, windows)?;
        Ok(move |count, _| {
            for _ in 0..count {
                let state = embedding.state(context.build());
                let mut store = Store::new(&embedding.engine, state);
                ready.instantiate(&mut store)?;
            }
            Ok(0)
        })
    };
    let mut ways = [way(names[0], one(false)?), way(names[1], one(true)?)];
    let times = measure(&mut ways, setting.effort)?;
    let value = times[1].median / times[0].median;
    let rows = rows(&names, &[times], microseconds);
    measured.table("A store, an instance and their end, µs", &["time"], rows);
    let what = "windows: an instance on a host with windows: times one without";
    measured.goal(what, Bound::AtMost(1.02), value);
    Ok(())
}

const CUT: &str = "cut";
const CUT_BYTES: u64 = 4 << 20;

/// How many windows there are beside the one that loses a page.
const CROWDS: [u32; 2] = [100, 8000];

/// How often one is lost.
const LOST: usize = 201;

/// A load from a page that was lost just now, with the call of the guest that does it.
pub(super) fn lost_pages(setting: Setting<'_>, measured: &mut Measured) -> Result<()> {
    let file = File::create(setting.dir.join(CUT))?;
    let whole = content(0, CUT_BYTES as usize);
    let mut table = Vec::new();
    for windows in CROWDS {
        file.write_all_at(&whole, 0)?;
        let mut crowd = setting.guest()?;
        crowd.open(CUT, 0)?;
        crowd.crowd(windows)?;
        let mut guest = setting.guest()?;
        guest.open(CUT, CUT_BYTES)?;
        let (mut there, mut lost) = (Vec::new(), Vec::new());
        for _ in 0..LOST {
            guest.touch(4096)?;
            let start = Instant::now();
            let word = guest.touch(4096)?;
            there.push(start.elapsed().as_nanos() as f64);
            wasmtime::ensure!(word.to_le_bytes() == whole[4096..4104], "not what is there");
            file.set_len(0)?;
            let start = Instant::now();
            let word = guest.touch(4096)?;
            lost.push(start.elapsed().as_nanos() as f64);
            wasmtime::ensure!(word == 0, "a page that was lost is there");
            file.write_all_at(&whole, 0)?;
            guest.renew()?;
        }
        let (there, lost) = (time(&mut there), time(&mut lost));
        let cells = [there, lost].map(microseconds);
        table.push(std::iter::once(format!("{windows} windows")).chain(cells).collect());
        let what = format!("windows: a lost page beside {windows} windows: µs");
        measured.goal(what, Bound::AtMost(20.0), lost.median / 1000.0);
    }
    let head = ["a page that is there", "a lost page"];
    measured.table("Windows: a call that loads a word, µs", &head, table);
    Ok(std::fs::remove_file(setting.dir.join(CUT))?)
}
