//! Bytes of a file where they lie.

use crate::{Error, ErrorKind, Window};

/// Bytes of a file, in a window or copied: what [`Windows::get`](crate::Windows::get) finds.
///
/// Reading in it is as reading in a [`Window`], with a look each time whether a page was lost. What
/// was copied was there when it was copied.
#[derive(Debug)]
pub struct Piece<'a> {
    from: From<'a>,
}

#[derive(Debug)]
enum From<'a> {
    Shown { window: &'a Window, at: usize, length: usize },
    Copied(&'a [u8]),
}

impl<'a> Piece<'a> {
    pub(super) fn shown(window: &'a Window, at: usize, length: usize) -> Piece<'a> {
        Piece { from: From::Shown { window, at, length } }
    }

    pub(super) fn copied(bytes: &'a [u8]) -> Piece<'a> {
        Piece { from: From::Copied(bytes) }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        match self.from {
            From::Shown { length, .. } => length,
            From::Copied(bytes) => bytes.len(),
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`]: there is less than that up to the end of the piece.
    /// [`ErrorKind::Sigbus`]: a page was lost.
    pub fn read_exact_at(&self, offset: usize, buf: &mut [u8]) -> Result<(), Error> {
        let within = offset.checked_add(buf.len()).is_some_and(|end| end <= self.len());
        match self.from {
            _ if !within => Err(ErrorKind::OutOfBounds.into()),
            From::Shown { window, at, .. } => window.read_exact_at(at + offset, buf),
            From::Copied(bytes) => {
                buf.copy_from_slice(&bytes[offset..offset + buf.len()]);
                Ok(())
            }
        }
    }

    /// Was everything that was read so far really in the file?
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sigbus`]: a page was lost.
    pub fn check(&self) -> Result<(), Error> {
        match self.from {
            From::Shown { window, .. } => window.check(),
            From::Copied(_) => Ok(()),
        }
    }

    /// The bytes themselves. What was read of them is believed after [`check`](Piece::check).
    ///
    /// # Safety
    ///
    /// As for [`Window::as_slice`].
    pub unsafe fn as_slice(&self) -> &[u8] {
        match self.from {
            // SAFETY: the caller's.
            From::Shown { window, at, length } => unsafe { &window.as_slice()[at..at + length] },
            From::Copied(bytes) => bytes,
        }
    }
}
