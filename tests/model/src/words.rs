//! Words that are read and changed at once.

use crate::file::{Cell, UNKNOWN};
use crate::model::{Answer, Expected, Mapped, Model};
use crate::operation::Word;
use crate::predict::inside;
use iommap::{AccessMode, Change};

impl Model {
    /// A word that is read.
    pub(crate) fn load(&self, mapped: &Mapped, length: u64, word: Word) -> Expected {
        let reads = mapped.access != AccessMode::Write;
        self.found(mapped, length, word, reads).map(Answer::Word)
    }

    /// A word that is written.
    pub(crate) fn store(
        &mut self,
        mapped: &Mapped,
        length: u64,
        word: Word,
        value: u64,
    ) -> Expected {
        let writes = mapped.access != AccessMode::Read && !mapped.private;
        self.found(mapped, length, word, writes)?;
        self.put(mapped, word, Some(value));
        Ok(Answer::Nothing)
    }

    /// A word that is read and then written, if it is to be.
    pub(crate) fn change(
        &mut self,
        mapped: &Mapped,
        length: u64,
        word: Word,
        new: impl FnOnce(u64) -> Option<u64>,
    ) -> Expected {
        let both = mapped.access == AccessMode::ReadWrite && !mapped.private;
        let was = self.found(mapped, length, word, both)?;
        match value(&was) {
            Some(was) => {
                if let Some(new) = new(was) {
                    self.put(mapped, word, Some(new));
                }
            }
            // Nobody knows what became of it either.
            None => self.put(mapped, word, None),
        }
        Ok(Answer::Word(was))
    }

    /// The bytes of a word, if all checks are passed.
    fn found(
        &self,
        mapped: &Mapped,
        length: u64,
        word: Word,
        allowed: bool,
    ) -> Result<Vec<Cell>, &'static str> {
        if !allowed {
            return Err("eacces");
        }
        if !word.offset.is_multiple_of(word.size()) {
            return Err("badarg");
        }
        inside(length, word.offset, word.size())?;
        if !self.backed(mapped, word.offset, word.size()) {
            return Err("sigbus");
        }
        Ok(self.read(mapped, word.offset, word.size()))
    }

    fn put(&mut self, mapped: &Mapped, word: Word, value: Option<u64>) {
        let bytes = value.map(u64::to_le_bytes);
        let size = word.size();
        let bytes = bytes.as_ref().map(|bytes| &bytes[..size as usize]);
        self.files[mapped.file].write_mapped(word.offset, bytes, size);
    }
}

/// The value of a word all of whose bytes are known.
pub(crate) fn value(cells: &[Cell]) -> Option<u64> {
    cells
        .iter()
        .rev()
        .try_fold(0, |value, &cell| (cell != UNKNOWN).then(|| value << 8 | u64::from(cell)))
}

/// What becomes of a word; only as many bits of it count as the word has.
pub(crate) fn changed(change: Change, was: u64, value: u64) -> u64 {
    match change {
        Change::Add => was.wrapping_add(value),
        Change::And => was & value,
        Change::Or => was | value,
        Change::Xor => was ^ value,
        Change::Exchange => value,
    }
}

/// Is this the word that was expected?
pub(crate) fn is(found: u64, cells: &[Cell]) -> bool {
    let bytes = found.to_le_bytes();
    let (there, rest) = bytes.split_at(cells.len());
    rest.iter().all(|byte| *byte == 0) && crate::file::matches(there, cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_little_endian_and_known_if_all_of_it_is() {
        assert_eq!(value(&[1, 2, 0, 0x80]), Some(0x8000_0201));
        assert_eq!(value(&[1, UNKNOWN, 0, 0]), None);
        assert!(is(0x8000_0201, &[1, UNKNOWN, 0, 0x80]));
        assert!(!is(0x8000_0201, &[1, 2, 0, 0]) && !is(1 << 32, &[0; 4]));
    }
}
