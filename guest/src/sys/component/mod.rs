//! A mapping of the host's, by the interface's functions.

#[cfg(feature = "atomics")]
mod atomics;
mod bindings;
#[cfg(feature = "changes")]
mod changes;
mod convert;
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
use bindings::{batch, types};
use core::mem::{ManuallyDrop, MaybeUninit, offset_of};
#[cfg(feature = "windows")]
pub(crate) use window::Window;

/// Has whoever links this link what tells of the imports, too.
#[used]
static KEPT: fn() = bindings::keep;

/// A handle to a mapping of the host's, by its number.
pub(crate) struct Handle(u32);

impl Drop for Handle {
    fn drop(&mut self) {
        types::drop_mapping(self.0);
    }
}

impl Handle {
    pub(crate) fn open(path: &str, options: &OpenOptions) -> Result<Handle, Error> {
        // Also where this is inlined into a program that has no use for the rest of this file.
        bindings::keep();
        let (mode, flags) = (convert::mode(options)?, convert::flags(options));
        let (has_size, size) = (options.size.is_some(), options.size.unwrap_or_default());
        let (start, length) = (path.as_ptr(), path.len());
        // SAFETY: that is where the path is.
        let call = |reply: &mut _| unsafe {
            types::open(start, length, mode, flags, has_size, size, reply);
        };
        Ok(Handle(reply::of(call)?))
    }

    /// # Safety
    ///
    /// The number is that of a handle to a mapping, which the caller has owned until now.
    pub(crate) unsafe fn from_number(number: u32) -> Handle {
        Handle(number)
    }

    /// The handle's number, for the caller to own.
    pub(crate) fn into_number(self) -> u32 {
        ManuallyDrop::new(self).0
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(reply::of(|reply| types::close(self.0, reply))?)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        let length = buf.len() as u64;
        // SAFETY: it is such a function.
        unsafe { reply::fill(buf, |reply| types::pread(self.0, offset, length, reply)) }
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_many(
        &self,
        ranges: &[Range],
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let (list, length) = of(ranges);
        // SAFETY: it is such a function, and that is where the list is.
        unsafe { reply::fill(buf, |reply| batch::pread_many(self.0, list, length, reply)) }
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let (start, length) = (data.as_ptr(), data.len());
        // SAFETY: that is where the bytes are.
        let call = |reply: &mut _| unsafe { types::pwrite(self.0, offset, start, length, reply) };
        Ok(reply::of(call)?)
    }

    pub(crate) fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        let ((list, n), (start, length)) = (of(ranges), (data.as_ptr(), data.len()));
        // SAFETY: that is where the list and the bytes are.
        let call = |reply: &mut _| unsafe {
            batch::pwrite_many(self.0, list, n, start, length, reply);
        };
        Ok(reply::of(call)?)
    }

    pub(crate) fn sync(&self, mode: SyncMode) -> Result<(), Error> {
        Ok(reply::of(|reply| types::sync(self.0, convert::sync_mode(mode), reply))?)
    }

    pub(crate) fn sync_range(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        let mode = convert::sync_mode(mode);
        Ok(reply::of(|reply| types::sync_range(self.0, offset, length, mode, reply))?)
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<(), Error> {
        Ok(reply::of(|reply| types::truncate(self.0, len, reply))?)
    }

    pub(crate) fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        let advice = convert::advice(advice);
        Ok(reply::of(|reply| types::advise(self.0, offset, length, advice, reply))?)
    }

    pub(crate) fn position(&self) -> Result<u64, Error> {
        Ok(reply::of(|reply| types::position(self.0, reply))?)
    }
}

/// Where a list of ranges is, as the interface has it: laid out in memory as this crate's are.
fn of(ranges: &[Range]) -> (*const batch::Range, usize) {
    const { assert!(size_of::<batch::Range>() == size_of::<Range>()) };
    const { assert!(offset_of!(batch::Range, length) == offset_of!(Range, length)) };
    (ranges.as_ptr().cast(), ranges.len())
}
