//! Holds a subject to the model: does the same to both and to real files, and compares.

use crate::decode::Record;
use crate::file::{Cell, UNKNOWN, matches};
use crate::model::{Answer, Expected, Model};
use crate::operation::{Call, NAMES, Open, Operation};
use crate::others::Actor;
use crate::{limits, prepare, words};
use iommap::AccessMode;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// An implementation of the operations, with one guest's mappings in numbered slots. Its
/// directory is granted twice: as `/d` for everything and as `/r` for reading only.
pub trait Subject {
    /// Carries out a call on the mapping in a slot: what came back, or the error's name.
    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, String>;

    /// Mappings open, bytes mapped and faults met so far.
    fn used(&self) -> (u64, u64, u64);

    /// Ranges of files locked.
    fn locks(&self) -> u64;
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nothing,
    /// A number.
    Number(u64),
    /// What came of trying to lock.
    Locked(bool),
    /// Whether a lock could be had.
    Would(bool),
    /// Bytes.
    Bytes(Vec<u8>),
    /// What has become of a file, as the driver says it.
    State(String),
    /// So many bytes, of which the FNV-1a hash of 64 bits is this.
    Hashed(u64, u64),
}

/// What a sequence came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that a guest made.
    pub calls: u64,
    /// Those of them that failed, as they had to.
    pub errors: u64,
    /// Those of them that met a page that was gone.
    pub faults: u64,
    /// Operations of others.
    pub others: u64,
    /// Locks that were had, and that others were in the way of.
    pub locks: [u64; 2],
    /// Words that were read or changed.
    pub words: u64,
}

impl Tally {
    /// Adds another sequence's.
    pub fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.faults += other.faults;
        self.others += other.others;
        self.words += other.words;
        self.locks = [self.locks[0] + other.locks[0], self.locks[1] + other.locks[1]];
    }
}

/// Does a sequence of operations to fresh files in a directory. Before it, the guest opens the
/// first file shared, the second one private, and the first once more.
///
/// # Errors
///
/// Where the subject, a file or a counter is not what the model says it must be.
pub fn hold(
    subject: &mut dyn Subject,
    others: &mut dyn Actor,
    directory: &Path,
    records: &[Record],
    seen: &mut dyn FnMut(&Call, &Result<Value, String>),
) -> Result<Tally, String> {
    let contents = prepare(directory).map_err(|error| format!("no files: {error}"))?;
    let mut model = Model::new(limits(), &contents);
    let mut tally = Tally::default();
    for (slot, name, private) in [(0, 0, false), (1, 1, true), (2, 0, false)] {
        let call = Call::Open(Open { private, ..Open::plain(name, AccessMode::ReadWrite) });
        guest(subject, &mut model, slot, &call, &mut tally, seen)?;
    }
    for (number, record) in records.iter().enumerate() {
        let operation = Operation::decode(*record);
        let step = match &operation {
            Operation::Guest(slot, call) => {
                let slot =
                    if matches!(call, Call::Open(_)) { Some(*slot) } else { model.aim(*slot) };
                match slot {
                    Some(slot) => guest(subject, &mut model, slot, call, &mut tally, seen),
                    None => Ok(()),
                }
            }
            Operation::Others(operation) => {
                model.others(operation);
                tally.others += 1;
                others.act(*record).map_err(|error| error.to_string())
            }
        };
        step.and_then(|()| compare(subject, &model, directory))
            .map_err(|why| format!("operation {number}, {}: {why}", brief(&operation)))?;
    }
    for slot in 0..crate::SLOTS {
        if model.holds(slot) {
            guest(subject, &mut model, slot, &Call::Drop, &mut tally, seen)?;
        }
    }
    compare(subject, &model, directory).map_err(|why| format!("in the end: {why}"))?;
    tally.faults = model.used().2;
    Ok(tally)
}

fn guest(
    subject: &mut dyn Subject,
    model: &mut Model,
    slot: usize,
    call: &Call,
    tally: &mut Tally,
    seen: &mut dyn FnMut(&Call, &Result<Value, String>),
) -> Result<(), String> {
    let expected = model.guest(slot, call);
    let found = subject.call(slot, call);
    seen(call, &found);
    tally.calls += 1;
    tally.errors += u64::from(expected.is_err());
    if let Ok(Answer::Locked(locked)) = expected {
        tally.locks[usize::from(!locked)] += 1;
    }
    tally.words += u64::from(matches!(expected, Ok(Answer::Word(_))));
    agree(&found, &expected)
}

fn agree(found: &Result<Value, String>, expected: &Expected) -> Result<(), String> {
    let same = match (found, expected) {
        (Err(found), Err(expected)) => found == expected,
        (Ok(Value::Nothing), Ok(Answer::Nothing | Answer::NothingOr(_))) => true,
        (Err(found), Ok(Answer::NothingOr(error))) => found == error,
        (Ok(Value::Number(found)), Ok(Answer::Number(expected))) => found == expected,
        (Ok(Value::Number(found)), Ok(Answer::Word(expected))) => words::is(*found, expected),
        (Ok(Value::State(found)), Ok(Answer::State(expected))) => found == expected,
        (Ok(Value::Locked(found)), Ok(Answer::Locked(expected)))
        | (Ok(Value::Would(found)), Ok(Answer::Would(expected))) => found == expected,
        (Ok(Value::Bytes(found)), Ok(Answer::Bytes(expected))) => {
            return match matches(found, expected) {
                true => Ok(()),
                false => Err(difference(found, expected)),
            };
        }
        (Ok(Value::Hashed(length, hash)), Ok(Answer::Bytes(expected))) => {
            *length == expected.len() as u64
                && (expected.contains(&UNKNOWN) || *hash == fnv(expected))
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("{} instead of {}", brief(found), brief(expected))) }
}

/// Compares what can be seen from outside: the files and the counters.
fn compare(subject: &dyn Subject, model: &Model, directory: &Path) -> Result<(), String> {
    for (name, text) in NAMES.iter().enumerate() {
        let expected = model.contents(name);
        match (fs::read(directory.join(text)), expected) {
            (Ok(found), Some(expected)) if matches(&found, expected) => {}
            (Ok(found), Some(expected)) => {
                return Err(format!("file {text}: {}", difference(&found, expected)));
            }
            (Err(error), None) if error.kind() == ErrorKind::NotFound => {}
            (Ok(_), None) => return Err(format!("there is a file {text}")),
            (Err(error), _) => return Err(format!("file {text}: {error}")),
        }
    }
    let found = (subject.used(), subject.locks());
    let expected = (model.used(), model.locks());
    if found == expected {
        return Ok(());
    }
    Err(format!("mappings, bytes and faults, and locks, are {found:?} instead of {expected:?}"))
}

fn difference(found: &[u8], expected: &[Cell]) -> String {
    let differs = |(byte, cell): (&u8, &Cell)| *cell != UNKNOWN && Cell::from(*byte) != *cell;
    match found.iter().zip(expected).position(differs) {
        Some(at) => format!("at {at}: {} instead of {}", found[at], expected[at]),
        None => format!("{} bytes instead of {}", found.len(), expected.len()),
    }
}

fn fnv(cells: &[Cell]) -> u64 {
    cells.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &cell| {
        (hash ^ u64::from(cell)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a value looks like, without all of its bytes.
fn brief(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
