//! A file as a vector of bytes, of which some may be unknown.

use crate::page;

/// A byte, or [`UNKNOWN`].
pub type Cell = u16;

/// A byte that may be anything: a write that failed may have reached it or not, or it lies
/// behind the end of the file, in its last page, where a mapping wrote.
pub const UNKNOWN: Cell = 256;

/// Is this what was expected?
pub fn matches(found: &[u8], expected: &[Cell]) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(byte, cell)| *cell == UNKNOWN || Cell::from(*byte) == *cell)
}

/// The contents of a file, up to the end of its last page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct File {
    length: u64,
    cells: Vec<Cell>,
}

impl File {
    pub(crate) fn new(contents: &[u8]) -> File {
        let mut file = File::default();
        file.write(0, contents);
        file
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// The pages that there are, the last of them not always full.
    pub(crate) fn pages(&self) -> u64 {
        self.length.div_ceil(page())
    }

    /// The bytes of the file itself.
    pub(crate) fn contents(&self) -> &[Cell] {
        &self.cells[..self.length as usize]
    }

    /// A page with what lies behind the end of the file.
    pub(crate) fn page(&self, index: u64) -> &[Cell] {
        let start = (index * page()) as usize;
        &self.cells[start..start + page() as usize]
    }

    /// Cuts or grows. New bytes are zero, but for what a mapping wrote behind the old end in its
    /// page: some file systems keep it there, and it may be somebody else's by then.
    pub(crate) fn set_len(&mut self, length: u64) {
        if length < self.length {
            self.cells[length as usize..].fill(0);
        }
        self.length = length;
        self.cells.resize((self.pages() * page()) as usize, 0);
    }

    /// Writes as `pwrite(2)` does: the file grows as far as it must.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        if bytes.is_empty() {
            return;
        }
        if end > self.length {
            self.set_len(end);
        }
        for (cell, byte) in self.cells[at as usize..end as usize].iter_mut().zip(bytes) {
            *cell = Cell::from(*byte);
        }
    }

    /// Writes through a mapping: into pages that are there, and for behind the end nothing is
    /// promised. `None` instead of bytes is a write of which nobody knows how far it got.
    pub(crate) fn write_mapped(&mut self, at: u64, bytes: Option<&[u8]>, length: u64) {
        for n in 0..length {
            let Some(cell) = self.cells.get_mut((at + n) as usize) else { break };
            *cell = match bytes {
                Some(bytes) if at + n < self.length => Cell::from(bytes[n as usize]),
                _ => UNKNOWN,
            };
        }
    }

    /// Takes the blocks out of a range: it reads as zeros, and the length stays.
    pub(crate) fn punch(&mut self, at: u64, length: u64) {
        let end = (at + length).min(self.length);
        if at < end {
            self.cells[at as usize..end as usize].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_file_cut_in_mid_page_has_zeros_behind_its_end() {
        let mut file = File::new(&vec![7; page() as usize]);
        file.set_len(10);
        file.write_mapped(8, Some(&[1, 2, 3]), 3);
        assert_eq!(file.contents()[7..], [7, 1, 2]);
        assert_eq!(file.page(0)[10..12], [UNKNOWN, 0]);
        file.set_len(12);
        assert_eq!(file.contents()[10..], [UNKNOWN, 0]);
    }

    #[test]
    fn an_unknown_byte_matches_anything() {
        assert!(matches(&[1, 2], &[1, UNKNOWN]));
        assert!(!matches(&[1, 2], &[2, UNKNOWN]));
        assert!(!matches(&[1], &[1, UNKNOWN]));
    }
}
