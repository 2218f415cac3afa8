//! Cursors over a mapping, with the traits of `std::io`.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use std::io::{self, SeekFrom};

/// Where a seek leads. `len` is asked only if it counts.
fn sought(to: SeekFrom, now: u64, len: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    let (base, by) = match to {
        SeekFrom::Start(position) => return Ok(position),
        SeekFrom::Current(by) => (now, by),
        SeekFrom::End(by) => (len()?, by),
    };
    base.checked_add_signed(by).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the start or too far")
    })
}
