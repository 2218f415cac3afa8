//! Windows whose bytes stay what they are.

use super::Window;
use crate::{Error, Mapping, Range};
use core::ops::Deref;

/// A [`Window`] on bytes that nobody can change any more, and so a slice.
///
/// The host says so of a file when the window is opened or moved: it is sealed, or has fs-verity.
/// Only a machine that fails can still lose a page of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("index");
/// # std::fs::write(&path, b"head, body and tail")?;
/// use iommap_guest::{ErrorKind, Mapping};
///
/// let index = Mapping::open(&path)?;
/// match index.frozen_window(0..19) {
///     Ok(window) => assert_eq!(&window[6..10], b"body"),
///     // Anybody may write to this one, or there are no windows for this guest.
///     Err(error) => {
///         assert!([ErrorKind::Enotsup, ErrorKind::LimitExceeded].contains(&error.kind()));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FrozenWindow(pub(super) Window);

impl FrozenWindow {
    /// [`Window::move_to`], to bytes that are frozen as well.
    ///
    /// # Errors
    ///
    /// Those of [`Window::move_to`].
    pub fn move_to(&mut self, source: &Mapping, range: impl Into<Range>) -> Result<(), Error> {
        self.0.move_to(source, range)
    }

    /// [`Window::prefetch`].
    ///
    /// # Errors
    ///
    /// Those of [`Window::prefetch`].
    pub fn prefetch(&self, range: core::ops::Range<usize>) -> Result<(), Error> {
        self.0.prefetch(range)
    }

    /// The window, for what it offers besides.
    pub fn as_window(&self) -> &Window {
        &self.0
    }
}

impl Deref for FrozenWindow {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: nobody can change or cut the file, as the host said. Nor does this program: what
        // would give a pointer to write through is not to be had of a `FrozenWindow`.
        unsafe { self.0.as_slice() }
    }
}

impl AsRef<[u8]> for FrozenWindow {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}
