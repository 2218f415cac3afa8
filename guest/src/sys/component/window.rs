//! A window of the host's.

use super::bindings::windows::{self, window_flags};
use super::{Handle, convert, reply};
use crate::Error;
use crate::window::{Region, WindowOptions};

/// A handle to a window of the host's, by its number. Dropping it ends the window.
pub(crate) struct Window(u32);

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: a handle of ours, whose region is there until the window has ended.
        unsafe { windows::drop_window(self.0) };
    }
}

fn flags(options: WindowOptions, frozen: bool) -> u8 {
    convert::wanted([
        (options.shared, window_flags::SHARED),
        (options.populate, window_flags::POPULATE),
        (frozen, window_flags::FROZEN),
    ])
}

impl Window {
    pub(crate) fn open(
        source: &Handle,
        offset: u64,
        length: u64,
        place: &Region,
        options: WindowOptions,
        frozen: bool,
    ) -> Result<Window, Error> {
        let address = place.start().as_ptr().expose_provenance() as u64;
        let (size, token) = (place.length() as u64, place.token());
        let flags = flags(options, frozen);
        // SAFETY: the host writes to the region, which is for that, and there as long as the window.
        let call = |reply: &mut _| unsafe {
            windows::open(source.0, offset, length, address, size, token, flags, reply);
        };
        Ok(Window(reply::of(call)?))
    }

    pub(crate) fn move_to(
        &self,
        source: &Handle,
        offset: u64,
        length: u64,
        options: WindowOptions,
        frozen: bool,
    ) -> Result<(), Error> {
        let flags = flags(options, frozen);
        // SAFETY: the host writes to the window's region, of which nobody has a slice: see
        // `crate::Window::move_to`.
        let call = |reply: &mut _| unsafe {
            windows::move_to(self.0, source.0, offset, length, flags, reply);
        };
        Ok(reply::of(call)?)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        // SAFETY: it reads the region's end.
        Ok(reply::of(|reply| unsafe { windows::check(self.0, reply) })?)
    }

    pub(crate) fn prefetch(&self, offset: u64, length: u64) -> Result<(), Error> {
        // SAFETY: it changes nothing that is seen.
        Ok(reply::of(|reply| unsafe { windows::prefetch(self.0, offset, length, reply) })?)
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        // SAFETY: its region is zero from then on, of which nobody has a slice.
        Ok(reply::of(|reply| unsafe { windows::close(self.0, reply) })?)
    }
}
