//! A window of the host's.

use super::bindings::windows::{self, window_flags};
use super::{Handle, convert, reply};
use crate::Error;
use crate::window::{Region, WindowOptions};

/// A handle to a window of the host's, by its number. Dropping it ends the window.
pub(crate) struct Window(u32);

impl Drop for Window {
    fn drop(&mut self) {
        windows::drop_window(self.0);
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
        // The host writes there.
        let address = place.start().as_ptr().expose_provenance() as u64;
        let (size, token) = (place.length() as u64, place.token());
        let flags = flags(options, frozen);
        let call = |reply: &mut _| {
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
        let call = |reply: &mut _| windows::move_to(self.0, source.0, offset, length, flags, reply);
        Ok(reply::of(call)?)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        Ok(reply::of(|reply| windows::check(self.0, reply))?)
    }

    pub(crate) fn prefetch(&self, offset: u64, length: u64) -> Result<(), Error> {
        Ok(reply::of(|reply| windows::prefetch(self.0, offset, length, reply))?)
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(reply::of(|reply| windows::close(self.0, reply))?)
    }
}
