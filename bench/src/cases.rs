//! What is measured: a task, a place in the file and a size.

use crate::contenders::{Contender, Task};
use crate::numbers::bytes;
use crate::offsets::{FILE_BYTES, HOT_BYTES, Work};
use std::fmt;

/// Where in the file the operations go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// At random within 64 KiB; of more than that, the same range every time.
    Hot,
    /// At random within 256 MiB.
    Random,
    /// From front to back.
    Sequence,
}

/// One row of contenders that do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) task: Task,
    pub(crate) place: Place,
    /// Bytes of one operation.
    pub(crate) size: u32,
}

/// The sizes of an operation.
pub(crate) const SIZES: [u32; 5] = [8, 64, 4 << 10, 64 << 10, 1 << 20];
/// Those written to the hot set; of the last it is one.
pub(crate) const HOT_SIZES: [u32; 4] = [8, 64, 4 << 10, 64 << 10];
/// Those of a sequence.
pub(crate) const SEQUENCE_SIZES: [u32; 3] = [4 << 10, 64 << 10, 1 << 20];
/// The smallest page there is: `Task::Sync` takes a page of its own for each operation.
pub(crate) const PAGE: u32 = 4096;
/// What a batched call may move, in bytes, to be measured: more than that doesn't fit the guest.
pub(crate) const LONGEST_BATCH: u32 = 4 << 20;

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?} {:?} {}", self.task, self.place, bytes(self.size.into()));
        f.write_str(&name.to_lowercase())
    }
}

impl Case {
    /// All cases, reads first: writes change the file.
    pub(crate) fn all() -> Vec<Case> {
        let mut all = Vec::new();
        for task in [Task::Read, Task::Write] {
            let hot = if task == Task::Read { &SIZES[..] } else { &HOT_SIZES };
            all.extend(hot.iter().map(|size| Case { task, place: Place::Hot, size: *size }));
            all.extend(SIZES.map(|size| Case { task, place: Place::Random, size }));
            all.extend(SEQUENCE_SIZES.map(|size| Case { task, place: Place::Sequence, size }));
        }
        all.push(Case { task: Task::Open, place: Place::Random, size: 8 });
        all.push(Case { task: Task::Sync, place: Place::Random, size: 8 });
        all
    }

    /// Who takes part.
    pub(crate) fn contenders(self) -> impl Iterator<Item = Contender> {
        Contender::all(self.task).iter().copied().filter(move |contender| {
            // What an empty call costs doesn't depend on where nothing is read.
            (contender.moves() || self.place == Place::Hot)
                && self.size * contender.batch() <= LONGEST_BATCH
        })
    }

    /// So many operations with offsets from this seed.
    pub(crate) fn work(self, count: u32, seed: u64) -> Work {
        let size = u64::from(self.size);
        let (bytes, slot) = match (self.place, self.task) {
            (Place::Hot, _) => (HOT_BYTES.max(size), size),
            (_, Task::Sync) => (FILE_BYTES, PAGE.into()),
            _ => (FILE_BYTES, size),
        };
        let step = if self.place == Place::Sequence { size } else { 0 };
        // Both are powers of two: this leaves multiples of `slot` below `bytes`.
        Work { count, size: self.size, mask: bytes - slot, step, seed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::{each, scrambled};

    #[test]
    fn every_offset_is_a_multiple_of_its_size_and_lies_in_the_file() {
        for case in Case::all() {
            let size = u64::from(case.size);
            let work = case.work(1000, scrambled(7));
            let state = each(work, |offset| {
                assert!(offset % size == 0 && offset + size <= FILE_BYTES, "{case}: {offset}");
            });
            assert_eq!(state, work.last_state(1), "{case}");
        }
    }
}
