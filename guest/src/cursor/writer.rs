//! Writing a mapping from front to back.

use super::sought;
use crate::{Error, Mapping};
use core::borrow::Borrow;
use std::io::{self, Seek, SeekFrom, Write};

/// Writes a mapping from front to back: [`Write`] and [`Seek`].
///
/// The mapping does not grow by it: at its end, [`write`](Write::write) takes nothing, and
/// [`write_all`](Write::write_all) fails with [`WriteZero`](io::ErrorKind::WriteZero), as they do
/// on a slice. A [growing](Writer::growing) one makes the mapping, and the file, exactly as long as
/// what it writes needs.
///
/// Each write is a call into the host, and each growth maps the file anew: for many small ones,
/// wrap it in a [`std::io::BufWriter`]. [`flush`](Write::flush) does nothing, since nothing is
/// held back: [`Mapping::sync`] brings what was written to the device.
///
/// It takes a mapping, or anything that lends one: `&Mapping`, `Rc<Mapping>`, `Arc<Mapping>`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// use iommap_guest::{Mapping, Writer};
/// use std::io::{BufWriter, Write};
///
/// let log = Mapping::options().read(true).write(true).create(true).open(&path)?;
/// let mut out = BufWriter::new(Writer::growing(&log));
/// for n in 0..3 {
///     writeln!(out, "line {n}")?;
/// }
/// out.flush()?;
/// assert_eq!(log.read_to_vec(0, log.len()?)?, b"line 0\nline 1\nline 2\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Writer<M: Borrow<Mapping>> {
    mapping: M,
    position: u64,
    grows: bool,
}

impl<M: Borrow<Mapping>> Writer<M> {
    /// Writes from the start, up to the end that the mapping has.
    pub fn new(mapping: M) -> Writer<M> {
        Writer { mapping, position: 0, grows: false }
    }

    /// Writes from the start, and makes the mapping longer where it has to be.
    pub fn growing(mapping: M) -> Writer<M> {
        Writer { mapping, position: 0, grows: true }
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        self.mapping.borrow()
    }

    /// Where the next byte is written, in bytes from the start.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was given to the writer.
    pub fn into_inner(self) -> M {
        self.mapping
    }

    /// Makes room for so many bytes, and tells for how many there is.
    fn make_room(&self, wanted: usize) -> Result<usize, Error> {
        let end = self.position.saturating_add(wanted as u64);
        if end <= self.mapping().known_len()? {
            return Ok(wanted);
        }
        let len = self.mapping().len()?;
        if end > len && self.grows && wanted > 0 {
            self.mapping().set_len(end)?;
            return Ok(wanted);
        }
        let left = usize::try_from(len.saturating_sub(self.position)).unwrap_or(usize::MAX);
        Ok(left.min(wanted))
    }

    fn put(&mut self, data: &[u8]) -> Result<usize, Error> {
        self.mapping().write_all_at(self.position, data)?;
        self.position += data.len() as u64;
        Ok(data.len())
    }
}

impl<M: Borrow<Mapping>> Write for Writer<M> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.make_room(data.len())? {
            // Who may not write is told so, whatever room there is.
            0 => Ok(self.mapping().write_all_at(0, &[]).map(|()| 0)?),
            room => Ok(self.put(&data[..room])?),
        }
    }

    /// Does nothing: nothing is held back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<M: Borrow<Mapping>> Seek for Writer<M> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = sought(to, self.position, || Ok(self.mapping().len()?))?;
        Ok(self.position)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}
