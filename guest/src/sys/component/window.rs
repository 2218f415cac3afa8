//! A window of the host's.

use super::Handle;
use super::bindings::windows::iommap::mmap::windows::{self, WindowFlags};
use crate::Error;
use crate::window::{Region, WindowOptions};

/// A handle to a window of the host's. Dropping it ends the window.
pub(crate) struct Window(windows::Window);

fn flags(options: WindowOptions, frozen: bool) -> WindowFlags {
    [
        (options.shared, WindowFlags::SHARED),
        (options.populate, WindowFlags::POPULATE),
        (frozen, WindowFlags::FROZEN),
    ]
    .into_iter()
    .filter(|(wanted, _)| *wanted)
    .fold(WindowFlags::empty(), |flags, (_, flag)| flags | flag)
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
        let place = windows::Region {
            // The host writes there.
            address: place.start().as_ptr().expose_provenance() as u64,
            length: place.length() as u64,
            token: place.token(),
        };
        let flags = flags(options, frozen);
        Ok(Window(windows::Window::open(&source.0, offset, length, place, flags)?))
    }

    pub(crate) fn move_to(
        &self,
        source: &Handle,
        offset: u64,
        length: u64,
        options: WindowOptions,
        frozen: bool,
    ) -> Result<(), Error> {
        Ok(self.0.move_to(&source.0, offset, length, flags(options, frozen))?)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        Ok(self.0.check()?)
    }

    pub(crate) fn prefetch(&self, offset: u64, length: u64) -> Result<(), Error> {
        Ok(self.0.prefetch(offset, length)?)
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        Ok(self.0.close()?)
    }
}
