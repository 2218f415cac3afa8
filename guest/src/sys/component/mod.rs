//! A mapping of the host's, by the interface's functions.

mod bindings;
mod convert;

use crate::{Advice, Error, ErrorCode, OpenOptions, Range, SyncMode};
use bindings::iommap::mmap::{batch, types};
use core::mem::MaybeUninit;

/// A handle to a mapping of the host's.
pub(crate) struct Handle(types::Mapping);

impl Handle {
    pub(crate) fn open(path: &str, options: &OpenOptions) -> Result<Handle, Error> {
        let mode = convert::mode(options)?;
        let mapping = types::Mapping::open(path, mode, convert::flags(options), options.size)?;
        Ok(Handle(mapping))
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(self.0.close()?)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        copied(self.0.pread(offset, buf.len() as u64)?, buf)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_many(
        &self,
        ranges: &[Range],
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        copied(batch::pread_many(&self.0, &convert::ranges(ranges))?, buf)
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        Ok(self.0.pwrite(offset, data)?)
    }

    pub(crate) fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        Ok(batch::pwrite_many(&self.0, &convert::ranges(ranges), data)?)
    }

    pub(crate) fn sync(&self, mode: SyncMode) -> Result<(), Error> {
        Ok(self.0.sync(convert::sync_mode(mode))?)
    }

    pub(crate) fn sync_range(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        Ok(self.0.sync_range(offset, length, convert::sync_mode(mode))?)
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<(), Error> {
        Ok(self.0.truncate(len)?)
    }

    pub(crate) fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        Ok(self.0.advise(offset, length, convert::advice(advice))?)
    }

    pub(crate) fn position(&self) -> Result<u64, Error> {
        Ok(self.0.position()?)
    }
}

fn copied(bytes: alloc::vec::Vec<u8>, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
    if bytes.len() != buf.len() {
        return Err(ErrorCode::Other(None).into());
    }
    buf.write_copy_of_slice(&bytes);
    Ok(())
}
