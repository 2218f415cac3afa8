//! How a window is opened.

use super::{FrozenWindow, Window};
use crate::{Error, Mapping, Range};

/// How a window is opened. All is off at first.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) { return Ok(()) }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, b"head, body and tail")?;
/// use iommap_guest::{Mapping, Window};
///
/// let index = Mapping::open(&path)?;
/// let window = Window::options().populate(true).open(&index, 6..10)?;
/// assert_eq!(&window.read_array(0)?, b"body");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowOptions {
    pub(crate) shared: bool,
    pub(crate) populate: bool,
}

impl WindowOptions {
    /// What is stored into the window reaches the file. Without it, it stays in the guest's memory.
    pub fn shared(&mut self, shared: bool) -> &mut Self {
        self.shared = shared;
        self
    }

    /// Have the pages read in at once.
    pub fn populate(&mut self, populate: bool) -> &mut Self {
        self.populate = populate;
        self
    }

    /// Has the host put a range of a mapping into the guest's own memory. The mapping may be
    /// dropped afterwards.
    ///
    /// It takes that much of the guest's memory, and up to 192 KiB more.
    ///
    /// # Errors
    ///
    /// - [`Enotsup`](crate::ErrorKind::Enotsup): the host has no windows, or can have none on this file.
    /// - [`OutOfBounds`](crate::ErrorKind::OutOfBounds): the range ends beyond the mapping.
    /// - [`Eacces`](crate::ErrorKind::Eacces): the mapping is not for reading; or a
    ///   [`shared`](WindowOptions::shared) window, and it may not write to the file. Or others could
    ///   change the file, or the window is `shared`, and the host's user has not allowed that.
    /// - [`LimitExceeded`](crate::ErrorKind::LimitExceeded): more windows, or bytes in windows, than
    ///   the host allows; it may allow none.
    /// - [`Enomem`](crate::ErrorKind::Enomem): the guest has not as much memory, or the host no
    ///   addresses.
    /// - [`Badarg`](crate::ErrorKind::Badarg): no bytes. [`Closed`](crate::ErrorKind::Closed).
    pub fn open(&self, source: &Mapping, range: impl Into<Range>) -> Result<Window, Error> {
        Window::open(source, range.into(), (*self, false), 0)
    }

    /// [`open`](WindowOptions::open), if nobody can change these bytes any more: the file is sealed,
    /// say.
    ///
    /// # Errors
    ///
    /// Those of [`open`](WindowOptions::open): [`Enotsup`](crate::ErrorKind::Enotsup), too, if the
    /// file is not frozen, and [`Badarg`](crate::ErrorKind::Badarg) with
    /// [`shared`](WindowOptions::shared).
    pub fn open_frozen(
        &self,
        source: &Mapping,
        range: impl Into<Range>,
    ) -> Result<FrozenWindow, Error> {
        Window::open(source, range.into(), (*self, true), 0).map(FrozenWindow)
    }
}
