//! What a private mapping holds of its own: whatever was written to it.

use std::collections::BTreeMap;
use std::vec::Vec;

/// Pieces that were written, by offset. They neither overlap nor touch.
#[derive(Default)]
pub(super) struct Private {
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Private {
    /// Puts what was written over what the file holds.
    pub(super) fn read(&self, offset: u64, target: &mut [u8]) {
        let end = offset + target.len() as u64;
        for (&start, bytes) in self.pieces.range(..end) {
            let (from, to) = (start.max(offset), (start + bytes.len() as u64).min(end));
            if from < to {
                let source = &bytes[(from - start) as usize..(to - start) as usize];
                target[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
    }

    /// Keeps what is written, joined with every piece that it overlaps or touches.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let (mut start, mut end) = (offset, offset + data.len() as u64);
        let mut joined = Vec::new();
        while let Some((&at, bytes)) = self.pieces.range(..=end).next_back() {
            if at + (bytes.len() as u64) < start {
                break;
            }
            (start, end) = (start.min(at), end.max(at + bytes.len() as u64));
            joined.extend(self.pieces.remove_entry(&at));
        }
        let mut piece = std::vec![0; (end - start) as usize];
        for (at, bytes) in joined {
            piece[(at - start) as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        piece[(offset - start) as usize..][..data.len()].copy_from_slice(data);
        self.pieces.insert(start, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_writes_that_overlap_the_last_one_counts() {
        // Against a plain vector, with every offset and length of a small one.
        let (mut private, mut model) = (Private::default(), [0u8; 24]);
        let mut random = fastrand::Rng::with_seed(7);
        for round in 1..=200u8 {
            let offset = random.usize(..24);
            let length = random.usize(..=24 - offset);
            let data = std::vec![round; length];
            private.write(offset as u64, &data);
            model[offset..offset + length].fill(round);
            for from in 0..24 {
                for to in from..=24 {
                    let mut target = std::vec![0; to - from];
                    private.read(from as u64, &mut target);
                    assert_eq!(target, model[from..to], "round {round}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_are_the_files() {
        let mut private = Private::default();
        private.write(2, b"xy");
        private.write(7, b"z");
        let mut target = *b"abcdefghij";
        private.read(0, &mut target);
        assert_eq!(&target, b"abxyefgzij");
    }
}
