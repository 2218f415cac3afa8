//! A mapping as a source, with a window or without.

use iommap_guest::{Error, Mapping, Range, Window};

use crate::Source;

impl Source for Mapping {
    type Error = Error;

    fn len(&self) -> Result<u64, Error> {
        Mapping::len(self)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.read_exact_at(offset, buffer)
    }

    fn read_many(&self, offsets: &[u64], buffer: &mut [u8]) -> Result<(), Error> {
        let Some(length) = buffer.len().checked_div(offsets.len()) else { return Ok(()) };
        let range = |&offset| Range::new(offset, length as u64);
        let ranges: Vec<Range> = offsets.iter().map(range).collect();
        self.read_many_into(&ranges, buffer)
    }
}

/// A mapping, and a window on all of it where the host has windows.
///
/// It answers as the mapping does: what the window can't read any more, because a page was lost, the
/// mapping is asked for, which knows which.
#[derive(Debug)]
pub struct Mapped {
    mapping: Mapping,
    window: Option<Window>,
}

impl Mapped {
    /// Without a window: for a few lookups, which are done before it would be opened.
    pub fn new(mapping: Mapping) -> Mapped {
        Mapped { mapping, window: None }
    }

    /// With a window, if there is one to be had.
    pub fn with_window(mapping: Mapping) -> Mapped {
        let window = mapping.len().and_then(|len| mapping.window(0..len)).ok();
        Mapped { mapping, window }
    }

    /// Whether there is a window.
    pub fn has_window(&self) -> bool {
        self.window.is_some()
    }
}

/// An offset in memory. What is none lies in no window.
fn here(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Source for Mapped {
    type Error = Error;

    fn len(&self) -> Result<u64, Error> {
        self.mapping.len()
    }

    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        match &self.window {
            Some(window) if window.read_exact_at(here(offset), buffer).is_ok() => Ok(()),
            _ => self.mapping.read_exact_at(offset, buffer),
        }
    }

    fn read_many(&self, offsets: &[u64], buffer: &mut [u8]) -> Result<(), Error> {
        if self.window.is_none() {
            return Source::read_many(&self.mapping, offsets, buffer);
        }
        let Some(length) = buffer.len().checked_div(offsets.len()) else { return Ok(()) };
        let mut pieces = buffer.chunks_exact_mut(length.max(1));
        offsets.iter().zip(&mut pieces).try_for_each(|(&at, piece)| self.read_at(at, piece))
    }

    fn near(&self) -> bool {
        self.window.is_some()
    }

    #[inline(always)]
    fn follow(&self, mut offset: u64, mut next: impl FnMut([u8; 8]) -> Option<u64>) -> bool {
        let Some(window) = &self.window else { return false };
        let all = window.read_with(|view| {
            loop {
                let Some(word) = view.array(here(offset)) else { return false };
                match next(word) {
                    Some(on) => offset = on,
                    None => return true,
                }
            }
        });
        all.unwrap_or(false)
    }
}
