//! Commands for words, of 32 or of 64 bits:
//!
//! ```text
//! word NAME BITS OFFSET load                   ok N
//! word NAME BITS OFFSET store VALUE
//! word NAME BITS OFFSET HOW VALUE              ok N, what it was: swap, add, sub, and, or, xor
//! word NAME BITS OFFSET compare CURRENT NEW    ok true N or false N, what it was
//! count NAME BITS OFFSET TIMES                 adds 1 so many times
//! spin-word NAME OFFSET VALUE                  loads 64 bits until they are the value
//! wait NAME OFFSET EXPECTED TIME               ok woken, not-equal or timed-out; TIME in milliseconds,
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
        "spin-word" => {
            let (offset, value) = (words.number("an offset")?, words.number("a value")?);
            words.end()?;
            loop {
                match mapping.atomic_u64(offset).load() {
                    Ok(now) if now == value => return Ok(Ok(Answer::Nothing)),
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
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

fn small(words: &mut Words) -> Result<u32, Bad> {
    u32::try_from(words.number("a number")?).map_err(|_| Bad("it has 32 bits".into()))
}
