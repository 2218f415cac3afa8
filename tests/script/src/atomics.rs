//! Commands for words, of 32 or of 64 bits:
//!
//! ```text
//! word NAME BITS OFFSET load                   ok N
//! word NAME BITS OFFSET store VALUE
//! word NAME BITS OFFSET HOW VALUE              ok N, what it was: swap, add, sub, and, or, xor
//! word NAME BITS OFFSET compare CURRENT NEW    ok true N or false N, what it was
//! count NAME BITS OFFSET TIMES                 adds 1 so many times
//! meet NAME OFFSET ROUNDS FIRST                takes turns with another guest at a word of 64 bits,
//!                                              which counts them: those from FIRST on, 0 or 1
//! wait-word NAME OFFSET EXPECTED TIME          ok woken, not-equal or timed-out; TIME in milliseconds,
//!                                              or - for as long as it takes
//! notify NAME OFFSET COUNT                     ok N, how many
//! ```

use std::time::Duration;

use iommap_commands::{Bad, Words};
use iommap_guest::{Error, Mapping, Waited};

use crate::Answer;

type Answered = Result<Result<Answer, Error>, Bad>;

macro_rules! word {
    ($word:expr, $type:ty, $words:expr) => {{
        let (word, mut words): (_, Words) = ($word, $words);
        let how = words.text("how")?;
        let mut value = |what| {
            <$type>::try_from(words.number(what)?).map_err(|_| Bad("it is a larger word".into()))
        };
        let done = match &*how {
            "load" => word.load().map(|now| Answer::Number(now.into())),
            "store" => word.store(value("a value")?).map(|()| Answer::Nothing),
            "compare" => {
                let (current, new) = (value("what it is")?, value("a value")?);
                word.compare_exchange(current, new).map(|found| {
                    let is = found.is_ok();
                    Answer::Compared(is, found.unwrap_or_else(|found| found).into())
                })
            }
            _ => {
                let value = value("a value")?;
                match &*how {
                    "swap" => word.swap(value),
                    "add" => word.fetch_add(value),
                    "sub" => word.fetch_sub(value),
                    "and" => word.fetch_and(value),
                    "or" => word.fetch_or(value),
                    "xor" => word.fetch_xor(value),
                    other => return Err(Bad(format!("there is no {other:?}"))),
                }
                .map(|before| Answer::Number(before.into()))
            }
        };
        words.end()?;
        Ok(done)
    }};
}

pub(crate) fn operation(verb: &str, mapping: &Mapping, mut words: Words) -> Answered {
    match verb {
        "word" => {
            let bits = words.number("bits")?;
            let offset = words.number("an offset")?;
            match bits {
                32 => word!(mapping.atomic_u32(offset), u32, words),
                64 => word!(mapping.atomic_u64(offset), u64, words),
                _ => Err(Bad("a word has 32 bits or 64".into())),
            }
        }
        "count" => {
            let (bits, offset) = (words.number("bits")?, words.number("an offset")?);
            let times = words.number("a number")?;
            words.end()?;
            let add = |_| match bits {
                32 => mapping.atomic_u32(offset).fetch_add(1).map(drop),
                _ => mapping.atomic_u64(offset).fetch_add(1).map(drop),
            };
            Ok((0..times).try_for_each(add).map(|()| Answer::Nothing))
        }
        "meet" => {
            let word = mapping.atomic_u64(words.number("an offset")?);
            let turns = turns(words)?;
            Ok(take_turns(turns, || word.load(), |turn| word.store(turn)))
        }
        "notify" => {
            let (offset, count) = (words.number("an offset")?, small(&mut words)?);
            words.end()?;
            Ok(mapping.atomic_u32(offset).notify(count).map(|woken| Answer::Number(woken.into())))
        }
        _ => {
            let (offset, expected) = (words.number("an offset")?, small(&mut words)?);
            let timeout = match &*words.text("a time")? {
                "-" => None,
                number => Some(Duration::from_millis(iommap_commands::number(number)?)),
            };
            words.end()?;
            Ok(mapping.atomic_u32(offset).wait(expected, timeout).map(|waited| {
                Answer::Word(match waited {
                    Waited::Woken => "woken",
                    Waited::NotEqual => "not-equal",
                    Waited::TimedOut => "timed-out",
                })
            }))
        }
    }
}

/// The turns of one of two who take them at a word, which are every second number.
pub(crate) fn turns(mut words: Words) -> Result<impl Iterator<Item = u64>, Bad> {
    let (rounds, first) = (words.number("rounds")?, words.number("who")?);
    words.end()?;
    Ok((0..rounds).map(move |round| 2 * round + first))
}

/// Waits for each turn by loads alone, and gives it to the other.
pub(crate) fn take_turns(
    mut turns: impl Iterator<Item = u64>,
    load: impl Fn() -> Result<u64, Error>,
    store: impl Fn(u64) -> Result<(), Error>,
) -> Result<Answer, Error> {
    turns.try_for_each(|turn| {
        while load()? != turn {}
        store(turn + 1)
    })?;
    Ok(Answer::Nothing)
}

fn small(words: &mut Words) -> Result<u32, Bad> {
    u32::try_from(words.number("a number")?).map_err(|_| Bad("it has 32 bits".into()))
}
