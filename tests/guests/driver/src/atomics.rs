//! The commands for words.

use crate::Answer;
use crate::bindings::iommap::mmap::atomics::{
    Change, Outcome, change_u32, change_u64, compare_exchange_u32, compare_exchange_u64, load_u32,
    load_u64, notify, store_u32, store_u64, wait,
};
use crate::bindings::iommap::mmap::types::{ErrorCode, Mapping};
use crate::locks::time;
use iommap_commands::{Bad, Words};

const CHANGES: [(&str, Change); 5] = [
    ("add", Change::Add),
    ("and", Change::And),
    ("or", Change::Or),
    ("xor", Change::Xor),
    ("exchange", Change::Exchange),
];

type Answered = Result<Result<Answer, ErrorCode>, Bad>;

pub(crate) fn run(verb: &str, mapping: &Mapping, mut words: Words) -> Answered {
    if let "wait" | "notify" = verb {
        let offset = words.number("an offset")?;
        let number = narrow(words.number("a number")?)?;
        if verb == "wait" {
            return Ok(wait_on(mapping, offset, number, time(&mut words)?));
        }
        words.end()?;
        return Ok(notify(mapping, offset, number).map(word));
    }
    let wide = words.one_of("bits", &[("32", false), ("64", true)])?;
    let offset = words.number("an offset")?;
    let how = if verb == "change" { words.one_of("how", &CHANGES)? } else { Change::Exchange };
    let count = match verb {
        "load" => 0,
        "compare-exchange" => 2,
        _ => 1,
    };
    let mut values = [0; 2];
    for value in &mut values[..count] {
        *value = words.number("a value")?;
        if !wide {
            narrow(*value)?;
        }
    }
    words.end()?;
    let [value, new] = values;
    let nothing = |()| Answer::Nothing;
    Ok(if wide {
        match verb {
            "load" => load_u64(mapping, offset).map(word),
            "store" => store_u64(mapping, offset, value).map(nothing),
            "change" => change_u64(mapping, offset, how, value).map(word),
            _ => compare_exchange_u64(mapping, offset, value, new).map(word),
        }
    } else {
        // They were found to be of 32 bits.
        let [value, new] = values.map(|value| value as u32);
        match verb {
            "load" => load_u32(mapping, offset).map(word),
            "store" => store_u32(mapping, offset, value).map(nothing),
            "change" => change_u32(mapping, offset, how, value).map(word),
            _ => compare_exchange_u32(mapping, offset, value, new).map(word),
        }
    })
}

fn wait_on(
    mapping: &Mapping,
    offset: u64,
    expected: u32,
    mut time: Option<u64>,
) -> Result<Answer, ErrorCode> {
    loop {
        match wait(mapping, offset, expected, time)? {
            Outcome::Again(left) => time = left,
            Outcome::Woken => return Ok(Answer::Word("woken")),
            Outcome::NotEqual => return Ok(Answer::Word("not-equal")),
            Outcome::TimedOut => return Ok(Answer::Word("timed-out")),
        }
    }
}

fn word(word: impl Into<u64>) -> Answer {
    Answer::Number(word.into())
}

fn narrow(value: u64) -> Result<u32, Bad> {
    u32::try_from(value).map_err(|_| Bad(format!("{value} has more than 32 bits")))
}
