//! A mapping as a source.

use iommap_guest::{Error, Mapping, Range};

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
