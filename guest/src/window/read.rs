//! Reading from a window, each time with a look whether a page was lost.

use super::Window;
use crate::{Error, ErrorKind};
use core::marker::PhantomData;
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

    /// Many reads, and one look after all of them whether a page was lost: a walk down a tree, say,
    /// whose steps would each wait for a look.
    ///
    /// Until that look a lost page reads as zeros, so `read` must end whatever it reads, and what it
    /// returns is handed on only if no page was lost.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) { return Ok(()) }
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("list");
    /// # std::fs::write(&path, [2, 9, 3, 1, 9])?;
    /// # let list = iommap_guest::Mapping::open(&path)?;
    /// let window = list.window(0..list.len()?)?;
    /// // Each byte says where the next one is.
    /// let end = window.read_with(|view| {
    ///     (0..window.len()).try_fold(0, |at, _| view.array(at).map(|[next]| usize::from(next)))
    /// })?;
    /// assert_eq!(end, None, "the chain leads out of the window");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sigbus`]: a page of the window was lost.
    #[inline(always)]
    pub fn read_with<T>(&self, read: impl FnOnce(View<'_>) -> T) -> Result<T, Error> {
        let result = read(View { data: self.data, len: self.len, window: PhantomData });
        if self.whole() { Ok(result) } else { Err(self.lost(0, self.len)) }
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

/// The bytes of a window during [`Window::read_with`].
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: NonNull<u8>,
    len: usize,
    window: PhantomData<&'a Window>,
}

impl View<'_> {
    /// The `N` bytes from `offset` on, or none where the window ends before they do.
    #[inline(always)]
    pub fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > self.len.checked_sub(N)? {
            return None;
        }
        // SAFETY: inside the window, as was checked, which is there as long as this is borrowed from
        // it, and bytes are aligned anywhere.
        Some(unsafe { self.data.add(offset).cast::<[u8; N]>().read() })
    }
}
