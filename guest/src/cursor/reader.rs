//! Reading a mapping from front to back.

use super::sought;
use crate::mapping::read_onto;
use crate::{Error, Mapping};
use alloc::vec::Vec;
use core::borrow::Borrow;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// Reads a mapping from front to back: [`Read`], [`BufRead`] and [`Seek`].
///
/// It has a buffer of its own, so small reads are cheap; one at least as large goes straight to
/// the caller's. Other readers and writers of the same mapping are seen as far as the buffer does
/// not hold what was there before.
///
/// It takes a mapping, or anything that lends one: `&Mapping`, `Rc<Mapping>`, `Arc<Mapping>`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// # std::fs::write(&path, "one\ntwo\n")?;
/// use iommap_guest::{Mapping, Reader};
/// use std::io::BufRead;
///
/// let lines = Reader::new(Mapping::open(&path)?).lines();
/// assert_eq!(lines.collect::<Result<Vec<_>, _>>()?, ["one", "two"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reader<M: Borrow<Mapping>> {
    mapping: M,
    /// Where the next byte is read.
    position: u64,
    buffer: Vec<u8>,
    capacity: usize,
    /// How much of the buffer was consumed. Its next byte is the one at `position`.
    consumed: usize,
}

impl<M: Borrow<Mapping>> Reader<M> {
    /// Reads from the start, with a buffer of 64 KiB.
    pub fn new(mapping: M) -> Reader<M> {
        Reader::with_capacity(64 << 10, mapping)
    }

    /// Reads from the start, with a buffer of this many bytes; of one, if 0.
    pub fn with_capacity(capacity: usize, mapping: M) -> Reader<M> {
        Reader { mapping, position: 0, buffer: Vec::new(), capacity: capacity.max(1), consumed: 0 }
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        self.mapping.borrow()
    }

    /// Where the next byte is read, in bytes from the start.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was given to the reader.
    pub fn into_inner(self) -> M {
        self.mapping
    }

    /// What was read ahead and not consumed.
    fn ahead(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    fn forget_buffer(&mut self) {
        self.buffer.clear();
        self.consumed = 0;
    }

    fn refill(&mut self) -> Result<(), Error> {
        self.forget_buffer();
        self.buffer.resize(self.capacity, 0);
        let read = self.mapping.borrow().read_some(self.position, &mut self.buffer);
        self.buffer.truncate(*read.as_ref().unwrap_or(&0));
        read.map(drop)
    }
}

impl<M: Borrow<Mapping>> Read for Reader<M> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() && buf.len() >= self.capacity {
            let n = self.mapping().read_some(self.position, buf)?;
            self.forget_buffer();
            self.position += n as u64;
            return Ok(n);
        }
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }

    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let left = self.mapping().len()?.saturating_sub(self.position);
        if left == 0 {
            return Ok(0);
        }
        read_onto(bytes, left, |buf| self.mapping().fill(self.position, buf))?;
        self.forget_buffer();
        self.position += left;
        Ok(left as usize)
    }
}

impl<M: Borrow<Mapping>> BufRead for Reader<M> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead().is_empty() {
            self.refill()?;
        }
        Ok(self.ahead())
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.ahead().len());
        self.consumed += amount;
        self.position += amount as u64;
    }
}

impl<M: Borrow<Mapping>> Seek for Reader<M> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = sought(to, self.position, || Ok(self.mapping().len()?))?;
        let start = self.position - self.consumed as u64;
        match position.checked_sub(start) {
            // Some of what was read ahead is of use.
            Some(consumed) if consumed <= self.buffer.len() as u64 => {
                self.consumed = consumed as usize;
            }
            _ => self.forget_buffer(),
        }
        self.position = position;
        Ok(position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}
