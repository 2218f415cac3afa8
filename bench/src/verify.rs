//! Checks that every contender really does what it is timed for: every byte, outside the timed
//! part.

use crate::arena::Arena;
use crate::cases::Case;
use crate::contenders::{Contender, Task};
use crate::offsets::{Work, content, scrambled};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use wasmtime::{Result, bail, ensure};

/// How many operations in a row are done before the last one's bytes are checked.
const COUNTS: [u32; 2] = [1, 3];
/// What a write must leave alone, in bytes on either side.
const MARGIN: u64 = 64;

/// Checks one contender in one case.
pub(crate) fn contender(arena: &mut Arena, contender: Contender, case: Case) -> Result<()> {
    for (index, count) in COUNTS.into_iter().enumerate() {
        let work = case.work(count, scrambled(index as u64 + 77));
        match case.task {
            Task::Read => read(arena, contender, work)?,
            Task::Write | Task::Sync => written(arena, contender, case.task, work)?,
            Task::Open => drop(run(arena, contender, case.task, work)?),
        }
    }
    Ok(())
}

/// Runs and checks that the offsets were those that were asked for.
fn run(arena: &mut Arena, contender: Contender, task: Task, work: Work) -> Result<Vec<u64>> {
    let state = arena.run(contender, task, work)?;
    if state != work.last_state(contender.batch()) {
        bail!("{contender:?} made other offsets: {work:?}");
    }
    Ok(work.last_offsets(contender.batch()))
}

fn read(arena: &mut Arena, contender: Contender, work: Work) -> Result<()> {
    let offsets = run(arena, contender, Task::Read, work)?;
    if !contender.moves() {
        return Ok(());
    }
    let size = work.size as usize;
    let bytes = arena.peek(contender, size * offsets.len())?;
    let expected: Vec<u8> = offsets.iter().flat_map(|offset| content(*offset, size)).collect();
    ensure!(bytes == expected, "{contender:?} read something else: {work:?}");
    Ok(())
}

/// The file as it must be is kept beside it: the pieces written, and what was around them.
fn written(arena: &mut Arena, contender: Contender, task: Task, work: Work) -> Result<()> {
    let size = work.size as usize;
    let total = size * contender.batch() as usize;
    let data = content(work.seed & 0xFFFF_FFF8, total);
    arena.poke(&data)?;
    let earlier: Vec<u64> = (1..=work.count)
        .flat_map(|count| Work { count, ..work }.last_offsets(contender.batch()))
        .collect();
    let mut expected = BTreeMap::new();
    for offset in &earlier {
        for near in [offset.saturating_sub(MARGIN), offset + work.size as u64] {
            expected.insert(near, None);
        }
    }
    let file_length = arena.native().file().metadata()?.len();
    expected.retain(|near, _| near + MARGIN <= file_length);
    for (near, around) in &mut expected {
        *around = Some(at(arena, *near, MARGIN as usize)?);
    }
    run(arena, contender, task, work)?;
    // The last write to a place counts.
    let pieces = data.chunks_exact(size).cycle();
    let pieces: BTreeMap<u64, &[u8]> = earlier.iter().copied().zip(pieces).collect();
    for (offset, piece) in &pieces {
        ensure!(at(arena, *offset, size)? == *piece, "{contender:?} wrote otherwise: {work:?}");
    }
    let touched = |start: u64| {
        let before = pieces.range(..start + MARGIN).next_back();
        before.is_some_and(|(offset, _)| offset + size as u64 > start)
    };
    for (near, around) in expected {
        if !touched(near) {
            let same = Some(at(arena, near, MARGIN as usize)?) == around;
            ensure!(same, "{contender:?} wrote beside: {work:?}");
        }
    }
    Ok(())
}

fn at(arena: &Arena, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    arena.native().file().read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}
