//! redb's storage: a mapped file.
//!
//! The file is exactly as long as redb wants it, so that it is an ordinary redb file: a native
//! program opens it, and what redb does after a crash, which goes by the file's length, holds.
//! redb doubles the length whenever it needs more (up to 4 GiB, and then adds 4 GiB at a time), so
//! the file is remapped a handful of times however much is written.

use std::io;

use iommap_guest::Mapping;
use redb::StorageBackend;

/// A mapped file that redb keeps a database in.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) file: Mapping,
    /// Another mapping of the file, whose lock keeps other programs out. It came first: who has the
    /// lock before may still have changed how long the file is.
    pub(crate) _lock: Mapping,
}

impl StorageBackend for Mapped {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.file.len()?)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        Ok(self.file.read_exact_at(offset, out)?)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        Ok(self.file.set_len(len)?)
    }

    /// redb calls it when it commits. Until then the pages are the kernel's to write or not.
    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(self.file.sync()?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        Ok(self.file.write_all_at(offset, data)?)
    }
}
