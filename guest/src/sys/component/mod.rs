//! A mapping of the host's, by the interface's functions.

#[cfg(feature = "atomics")]
mod atomics;
mod bindings;
#[cfg(feature = "changes")]
mod changes;
mod convert;
mod imports;
#[cfg(feature = "locks")]
mod lock;
mod reply;
#[cfg(feature = "storage")]
mod storage;
#[cfg(feature = "wasi")]
mod wasi;
#[cfg(feature = "windows")]
mod window;

use crate::{Advice, Error, OpenOptions, Range, SyncMode};
use bindings::iommap::mmap::types;
use core::mem::MaybeUninit;
#[cfg(feature = "windows")]
pub(crate) use window::Window;

/// A handle to a mapping of the host's.
pub(crate) struct Handle(types::Mapping);

impl Handle {
    pub(crate) fn open(path: &str, options: &OpenOptions) -> Result<Handle, Error> {
        let mode = convert::mode(options)?;
        let mapping = types::Mapping::open(path, mode, convert::flags(options), options.size)?;
        Ok(Handle(mapping))
    }

    /// # Safety
    ///
    /// The number is that of a handle to a mapping, which the caller has owned until now.
    pub(crate) unsafe fn from_number(number: u32) -> Handle {
        // SAFETY: the caller's.
        Handle(unsafe { types::Mapping::from_handle(number) })
    }

    /// The handle's number, which it stays for as long as `self` lives.
    pub(crate) fn number(&self) -> u32 {
        self.0.handle()
    }

    /// The handle's number, for the caller to own.
    pub(crate) fn into_number(self) -> u32 {
        self.0.take_handle()
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(self.0.close()?)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        let length = buf.len() as u64;
        // SAFETY: it is such a function, and the handle is that of an open resource.
        unsafe { reply::fill(buf, |reply| imports::pread(self.number(), offset, length, reply)) }
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_many(
        &self,
        ranges: &[Range],
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let (list, length) = (ranges.as_ptr(), ranges.len());
        // SAFETY: it is such a function, the handle is that of an open resource, and a list of
        // `range` is laid out as a slice of `Range`.
        unsafe { reply::fill(buf, |reply| imports::pread_many(self.number(), list, length, reply)) }
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        Ok(self.0.pwrite(offset, data)?)
    }

    pub(crate) fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        // SAFETY: it is such a function, the handle is that of an open resource, and a list of
        // `range` is laid out as a slice of `Range`.
        unsafe {
            reply::succeed(|reply| {
                let (list, bytes) = (ranges.as_ptr(), data.as_ptr());
                let (n, length) = (ranges.len(), data.len());
                imports::pwrite_many(self.number(), list, n, bytes, length, reply);
            })
        }
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
