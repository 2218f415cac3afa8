//! The commands for locks.

use crate::Answer;
use crate::bindings::iommap::mmap::locks::{LockMode, Outcome, lock, unlock, would_lock};
use crate::bindings::iommap::mmap::types::{ErrorCode, Mapping};
use iommap_commands::{Bad, Words};

const MODES: [(&str, LockMode); 2] =
    [("shared", LockMode::Shared), ("exclusive", LockMode::Exclusive)];

pub(crate) fn run(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
) -> Result<Result<Answer, ErrorCode>, Bad> {
    let (offset, length) = (words.number("an offset")?, words.number("a length")?);
    if verb == "unlock" {
        words.end()?;
        return Ok(unlock(mapping, offset, length).map(|()| Answer::Nothing));
    }
    let mode = words.one_of("a mode", &MODES)?;
    if verb == "would-lock" {
        words.end()?;
        let could = would_lock(mapping, offset, length, mode);
        return Ok(could.map(|could| Answer::Word(if could { "true" } else { "false" })));
    }
    let wait = time(&mut words)?;
    Ok(loop {
        match lock(mapping, offset, length, mode, wait) {
            Ok(Outcome::Again) => {}
            Ok(Outcome::Locked) => break Ok(Answer::Word("locked")),
            Ok(Outcome::Busy) => break Ok(Answer::Word("busy")),
            Ok(Outcome::Deadlock) => break Ok(Answer::Word("deadlock")),
            Err(error) => break Err(error),
        }
    })
}

/// `WAIT` to the end, in nanoseconds.
pub(crate) fn time(words: &mut Words) -> Result<Option<u64>, Bad> {
    let time = match &*words.text("a time")? {
        "-" => None,
        number => Some(iommap_commands::number(number)?.saturating_mul(1_000_000)),
    };
    words.end()?;
    Ok(time)
}
