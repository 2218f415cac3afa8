//! How eight bytes become an operation.

use crate::numbers::{length, number, offset, sane};
use crate::operation::{Call, NAMES, Open, Operation, Others, SLOTS, Storage, Word};
use iommap::{AccessMode, Advice, Change, LockMode, Range, SyncMode};

/// How many bytes an operation is made of.
pub const RECORD: usize = 8;

/// An operation as bytes. Any bytes are one.
pub type Record = [u8; RECORD];

impl Operation {
    /// What a record means.
    pub fn decode(record: Record) -> Operation {
        let [kind, place, x0, x1, y0, y1, seed, more] = record;
        let (x, y) = (u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]));
        let slot = usize::from(place) % SLOTS;
        let name = usize::from(place) % NAMES.len();
        let mode = if more % 4 == 0 { SyncMode::Sync } else { SyncMode::Async };
        let guest = |call| Operation::Guest(slot, call);
        match kind % 52 {
            0 => guest(Call::Position),
            1..=3 => guest(Call::Open(open(x, y, seed, more))),
            4 => guest(Call::Close),
            5 => guest(Call::Drop),
            6..=9 => guest(Call::Pread(offset(x), length(y))),
            10..=13 => guest(Call::Pwrite(offset(x), bytes(seed, length(y)))),
            14..=15 => guest(Call::PreadMany(ranges(x, y, seed, more))),
            16..=17 => {
                let ranges = ranges(x, y, seed, more);
                let sum = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.length));
                // Now and then the data is not what the ranges ask for.
                let wrong = u64::from(more.is_multiple_of(8));
                guest(Call::PwriteMany(ranges, bytes(seed, (sum.min(crate::page() * 8)) + wrong)))
            }
            18 => guest(Call::Sync(mode)),
            19 => guest(Call::SyncRange(offset(x), offset(y), mode)),
            20..=21 => guest(Call::Truncate(number(x))),
            22 => {
                // Half of the time all that is left.
                let length = if seed % 2 == 0 { 0 } else { length(y) };
                guest(Call::Advise(offset(x) / 4, length, advice(more)))
            }
            23..=25 => {
                Operation::Others(Others::Write(name, sane(x) / 2, bytes(seed, length(y) / 2)))
            }
            26..=27 => {
                // Cut more often than grown.
                let length = if y % 4 == 0 { sane(x) } else { sane(x) / 3 };
                Operation::Others(Others::SetLength(name, length))
            }
            28 => Operation::Others(Others::Punch(name, sane(x), length(y).max(1))),
            29 => Operation::Others(Others::Rename(name, usize::from(more) % NAMES.len())),
            30 => Operation::Others(Others::Unlink(name)),
            31 => Operation::Others(Others::Replace(name, bytes(seed, sane(x) / 2))),
            32..=35 => guest(Call::Lock(locked(x, y), lock_mode(more))),
            36..=38 => guest(Call::Unlock(locked(x, y))),
            39 => guest(Call::WouldLock(locked(x, y), lock_mode(more))),
            40..=41 => guest(Call::Load(word_at(x, seed, more))),
            42 => guest(Call::Store(word_at(x, seed, more), value(y))),
            43..=44 => guest(Call::Change(word_at(x, seed, more), change(more), value(y))),
            45 => {
                // What is there is zero now and then, or was stored before.
                let expected = value(y) & if seed % 2 == 0 { 3 } else { 0 };
                guest(Call::CompareExchange(word_at(x, seed, more), expected, value(y)))
            }
            46..=47 => {
                guest(Call::Storage(storage(more), Range { offset: offset(x), length: length(y) }))
            }
            48 => {
                guest(Call::ReadUpTo(offset(x), if more % 8 == 0 { number(y) } else { length(y) }))
            }
            49 => guest(Call::ReadStrict(offset(x), length(y))),
            50 => guest(Call::Changed),
            _ if more.is_multiple_of(4) => guest(Call::SyncEntry),
            _ => guest(Call::Changed),
        }
    }
}

fn open(x: u16, y: u16, seed: u8, more: u8) -> Open {
    let [access, usual] = x.to_le_bytes();
    let access = match access % 4 {
        0 | 1 => AccessMode::ReadWrite,
        2 => AccessMode::Read,
        _ => AccessMode::Write,
    };
    let mut open = Open::plain(usize::from(seed) % NAMES.len(), access);
    let size = Some(number(y));
    match usual % 16 {
        0..=2 => {}
        3..=4 => open.private = true,
        5 => (open.create, open.size) = (true, size),
        6 => open.size = size,
        7 => (open.private, open.size) = (true, size),
        8 => open.truncate = true,
        9 => (open.truncate, open.size) = (true, size),
        _ => {
            // Any combination, sensible or not.
            let bit = |n: u8| more >> n & 1 == 1;
            (open.shared, open.private, open.lock, open.populate) =
                (bit(0), bit(1), bit(2), bit(3));
            (open.nocache, open.create, open.truncate) = (bit(4), bit(5), bit(6));
            open.exclusive = bit(7);
            open.read_only_grant = usual & 0x10 != 0;
            open.size = size.filter(|_| usual & 0x20 != 0);
        }
    }
    open
}

/// One to six ranges that start where `x` says, overlap or not, and stay inside or don't; once
/// in a while so many that the list is too long for a call.
fn ranges(x: u16, y: u16, seed: u8, more: u8) -> Vec<Range> {
    let count = u16::from(more % 7);
    let step = u16::from(seed).wrapping_mul(37);
    let mut ranges: Vec<Range> = (0..count)
        .map(|n| Range {
            offset: offset(x.wrapping_add(n.wrapping_mul(step))),
            length: length(y.wrapping_add(n.wrapping_mul(11))) / 3,
        })
        .collect();
    if seed >= 250 {
        let many = usize::from(seed - 249) * 400;
        ranges = ranges.iter().copied().cycle().take(many).collect();
    }
    ranges
}

/// A range to lock: mostly one of few, so that they meet; or any.
fn locked(x: u16, y: u16) -> Range {
    match y % 8 {
        0 => Range { offset: number(x), length: number(y) },
        _ => Range { offset: u64::from(x % 16), length: u64::from(y / 8 % 12) },
    }
}

fn lock_mode(more: u8) -> LockMode {
    if more.is_multiple_of(2) { LockMode::Exclusive } else { LockMode::Shared }
}

/// One of a few words at the beginning, so that they are met again; or any, at an offset that is a
/// multiple of its size, mostly.
fn word_at(x: u16, seed: u8, more: u8) -> Word {
    let wide = more.is_multiple_of(2);
    let offset = match seed % 8 {
        0 => offset(x),
        1..=4 => u64::from(x % 8) * 8,
        _ => offset(x) & !7,
    };
    Word { wide, offset }
}

fn value(y: u16) -> u64 {
    if y.is_multiple_of(2) { u64::from(y / 2 % 4) } else { number(y) }
}

fn change(more: u8) -> Change {
    match more / 2 % 5 {
        0 => Change::Add,
        1 => Change::And,
        2 => Change::Or,
        3 => Change::Xor,
        _ => Change::Exchange,
    }
}

fn storage(more: u8) -> Storage {
    match more % 3 {
        0 => Storage::Hole,
        1 => Storage::Zeros,
        _ => Storage::Blocks,
    }
}

fn advice(more: u8) -> Advice {
    match more % 8 {
        0 => Advice::Normal,
        1 => Advice::Random,
        2 => Advice::Sequential,
        3 => Advice::WillNeed,
        _ => Advice::DontNeed,
    }
}

/// Bytes to write: different from seed to seed and from place to place, and never zero.
pub fn bytes(seed: u8, length: u64) -> Vec<u8> {
    (0..length).map(|at| ((u64::from(seed) + at * 7 + at / 251) % 255) as u8 + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_record_is_an_operation_and_all_kinds_come() {
        let mut kinds = std::collections::BTreeSet::new();
        for kind in 0..=u8::MAX {
            for rest in 0..=u8::MAX {
                let record = [kind, rest, rest, rest ^ 0x55, rest, rest ^ 0xaa, rest, rest];
                let text = format!("{:?}", Operation::decode(record));
                let words =
                    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
                kinds.insert(words.take(2).collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(kinds.len(), 30, "{kinds:?}");
    }

    #[test]
    fn none_of_the_bytes_to_write_is_zero() {
        assert!(bytes(255, 5000).iter().all(|byte| *byte != 0));
        assert_ne!(bytes(1, 64), bytes(2, 64));
    }
}
