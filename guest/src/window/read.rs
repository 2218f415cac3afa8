//! Reading from a window, each time with a look whether a page was lost.

use super::Window;
use crate::{Error, ErrorKind};
use core::ptr::{self, NonNull};

/// Methods that read a number, by their names.
macro_rules! numbers {
    ($($name:ident: $type:ident, $from:ident, $order:literal;)*) => {$(
        #[doc = concat!("The `", stringify!($type), "` at `offset`", $order, ".")]
        ///
        /// # Errors
        ///
        /// Those of [`read_exact_at`](Window::read_exact_at).
        #[inline]
        pub fn $name(&self, offset: usize) -> Result<$type, Error> {
            self.read_array(offset).map($type::$from)
        }
    )*};
}

/// Offsets are counted from the window's first byte.
impl Window {
    /// Reads into `buf` from `offset` on, and returns how many bytes: as many as `buf` has, or as
    /// there are up to the end of the window, and 0 behind it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sigbus`]: a page of the window was lost. What `buf` holds then is unspecified.
    pub fn read_at(&self, offset: usize, buf: &mut [u8]) -> Result<usize, Error> {
        let n = buf.len().min(self.len().saturating_sub(offset));
        self.read_exact_at(offset.min(self.len()), &mut buf[..n]).map(|()| n)
    }

    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`]: there is less than that up to the end of the window.
    /// [`ErrorKind::Sigbus`]: a page of the window was lost. What `buf` holds then is unspecified.
    #[inline]
    pub fn read_exact_at(&self, offset: usize, buf: &mut [u8]) -> Result<(), Error> {
        let from = self.place(offset, buf.len())?;
        // SAFETY: inside the window, as was checked. `buf` is somewhere else, since nobody has a
        // mutable slice of the window.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), buf.as_mut_ptr(), buf.len()) };
        if self.whole() { Ok(()) } else { Err(self.lost(offset, buf.len())) }
    }

    /// The `N` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of [`read_exact_at`](Window::read_exact_at).
    #[inline]
    pub fn read_array<const N: usize>(&self, offset: usize) -> Result<[u8; N], Error> {
        let from = self.place(offset, N)?;
        // SAFETY: inside the window, as was checked, and bytes are aligned anywhere.
        let bytes = unsafe { from.cast::<[u8; N]>().read() };
        if self.whole() { Ok(bytes) } else { Err(self.lost(offset, N)) }
    }

    numbers! {
        u8_at: u8, from_le_bytes, "";
        u16_le_at: u16, from_le_bytes, ", its least byte first";
        u32_le_at: u32, from_le_bytes, ", its least byte first";
        u64_le_at: u64, from_le_bytes, ", its least byte first";
        u16_be_at: u16, from_be_bytes, ", its greatest byte first";
        u32_be_at: u32, from_be_bytes, ", its greatest byte first";
        u64_be_at: u64, from_be_bytes, ", its greatest byte first";
    }

    /// Where a range of the window lies.
    #[inline]
    pub(super) fn place(&self, offset: usize, length: usize) -> Result<NonNull<u8>, Error> {
        match offset.checked_add(length) {
            // SAFETY: inside the window.
            Some(end) if end <= self.len() => Ok(unsafe { self.data.add(offset) }),
            _ => Err(self.fails(ErrorKind::OutOfBounds, offset, length)),
        }
    }
}
