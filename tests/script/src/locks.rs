//! Commands for locks:
//!
//! ```text
//! lock NAME OFFSET LENGTH MODE WAIT   lock_range: ok locked, busy or deadlock. MODE shared or
//!                                     exclusive; WAIT in milliseconds, or - for as long as it takes
//! lock-all NAME HOW                   ok true or false: try_lock or try_lock_shared; ok: lock or
//!                                     lock_shared
//! unlock NAME OFFSET LENGTH
//! would-lock NAME OFFSET LENGTH MODE  ok true or false
//! ```

use std::time::Duration;

use iommap_commands::{Bad, Words};
use iommap_guest::{Error, LockMode, LockWait, Locked, Mapping, Range};

use crate::{Answer, span};

const MODES: [(&str, LockMode); 2] =
    [("shared", LockMode::Shared), ("exclusive", LockMode::Exclusive)];

pub(crate) fn operation(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
) -> Result<Result<Answer, Error>, Bad> {
    if verb == "lock-all" {
        let how = words.text("how")?;
        words.end()?;
        return Ok(match &*how {
            "lock" => mapping.lock().map(|()| Answer::Nothing),
            "lock_shared" => mapping.lock_shared().map(|()| Answer::Nothing),
            "try_lock" => mapping.try_lock().map(truth),
            "try_lock_shared" => mapping.try_lock_shared().map(truth),
            "unlock" => mapping.unlock().map(|()| Answer::Nothing),
            other => return Err(Bad(format!("there is no {other:?}"))),
        });
    }
    if verb == "unlock" {
        let (offset, length) = span(&mut words)?;
        return Ok(mapping.unlock_range((offset, length)).map(|()| Answer::Nothing));
    }
    let range = Range::new(words.number("an offset")?, words.number("a length")?);
    let mode = words.one_of("a mode", &MODES)?;
    if verb == "would-lock" {
        words.end()?;
        return Ok(mapping.would_lock(range, mode).map(truth));
    }
    let wait = match &*words.text("a time")? {
        "-" => LockWait::Forever,
        "0" => LockWait::No,
        number => LockWait::For(Duration::from_millis(iommap_commands::number(number)?)),
    };
    words.end()?;
    Ok(mapping.lock_range(range, mode, wait).map(|locked| {
        Answer::Word(match locked {
            Locked::Yes => "locked",
            Locked::Busy => "busy",
            Locked::Deadlock => "deadlock",
        })
    }))
}

fn truth(is: bool) -> Answer {
    Answer::Word(if is { "true" } else { "false" })
}
