//! The kinds of maps.

use crate::inner::Inner;
#[cfg(target_os = "linux")]
use crate::options::RemapOptions;
use crate::{Advice, MapIfSafeError, MmapAsRawDesc, MmapOptions, UncheckedAdvice};
use std::ops::{Deref, DerefMut};
use std::{fmt, io, slice};

/// A map to be read from.
pub struct Mmap {
    inner: Inner,
    /// May it be made writable? Then what is stored stays in it.
    copy: bool,
}

/// A map to be read from and written to.
pub struct MmapMut {
    inner: Inner,
}

/// A map that is reached by pointers only.
pub struct MmapRaw {
    inner: Inner,
}

impl Mmap {
    pub(crate) fn of(inner: Inner) -> Mmap {
        Mmap { inner, copy: false }
    }

    pub(crate) fn copy(inner: Inner) -> Mmap {
        Mmap { inner, copy: true }
    }

    /// Maps all of a file for reading.
    ///
    /// # Safety
    ///
    /// As for [`MmapOptions::map`].
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map`].
    pub unsafe fn map<T: MmapAsRawDesc>(file: T) -> io::Result<Mmap> {
        // SAFETY: the caller's.
        unsafe { MmapOptions::new().map(file) }
    }

    /// Maps all of a file that nobody can change any more.
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_if_safe`].
    pub fn map_if_safe<T: MmapAsRawDesc>(file: T) -> Result<Mmap, MapIfSafeError> {
        MmapOptions::new().map_if_safe(file)
    }

    /// Makes it a map to be written to, if it is one of [`MmapOptions::map_copy_read_only`] or was
    /// one before.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied): it is not.
    pub fn make_mut(self) -> io::Result<MmapMut> {
        if !self.copy {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(MmapMut { inner: self.inner })
    }
}

impl MmapMut {
    pub(crate) fn of(inner: Inner) -> MmapMut {
        MmapMut { inner }
    }

    /// Maps all of a file for reading and writing.
    ///
    /// # Safety
    ///
    /// As for [`MmapOptions::map`].
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_mut`].
    pub unsafe fn map_mut<T: MmapAsRawDesc>(file: T) -> io::Result<MmapMut> {
        // SAFETY: the caller's.
        unsafe { MmapOptions::new().map_mut(file) }
    }

    /// Zeros in memory of the program's own.
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_anon`].
    pub fn map_anon(length: usize) -> io::Result<MmapMut> {
        MmapOptions::new().len(length).map_anon()
    }

    /// Makes it a map to be read from.
    ///
    /// # Errors
    ///
    /// None.
    pub fn make_read_only(self) -> io::Result<Mmap> {
        Ok(Mmap { inner: self.inner, copy: true })
    }

    /// Nothing can be executed.
    ///
    /// # Errors
    ///
    /// Always [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn make_exec(self) -> io::Result<Mmap> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl MmapRaw {
    pub(crate) fn of(inner: Inner) -> MmapRaw {
        MmapRaw { inner }
    }

    /// Maps all of a file for reading and writing.
    ///
    /// # Errors
    ///
    /// Those of [`MmapOptions::map_raw`].
    pub fn map_raw<T: MmapAsRawDesc>(file: T) -> io::Result<MmapRaw> {
        MmapOptions::new().map_raw(file)
    }

    /// Where it begins.
    pub fn as_ptr(&self) -> *const u8 {
        self.inner.ptr()
    }

    /// Where it begins, to be written to if it may be.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.inner.mut_ptr()
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What those have that may be written to.
macro_rules! flushed {
    ($($map:ident)*) => {$(
        impl $map {
            /// Writes all that was changed to the device, and waits for it.
            ///
            /// # Errors
            ///
            /// The device's.
            pub fn flush(&self) -> io::Result<()> {
                self.inner.flush(0, self.inner.len(), true)
            }

            /// Begins to write all that was changed to the device.
            ///
            /// # Errors
            ///
            /// The device's.
            pub fn flush_async(&self) -> io::Result<()> {
                self.inner.flush(0, self.inner.len(), false)
            }

            /// [`flush`](Self::flush), of a range.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`](io::ErrorKind::InvalidInput): it ends behind the map. The device's.
            pub fn flush_range(&self, offset: usize, len: usize) -> io::Result<()> {
                self.inner.flush(offset, len, true)
            }

            /// [`flush_async`](Self::flush_async), of a range.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`](io::ErrorKind::InvalidInput): it ends behind the map. The device's.
            pub fn flush_async_range(&self, offset: usize, len: usize) -> io::Result<()> {
                self.inner.flush(offset, len, false)
            }
        }
    )*};
}

/// What all have.
macro_rules! advised {
    ($($map:ident)*) => {$(
        impl $map {
            /// Says how the map is going to be used.
            ///
            /// # Errors
            ///
            /// The host's.
            pub fn advise(&self, advice: Advice) -> io::Result<()> {
                self.inner.advise(advice, 0, self.inner.len())
            }

            /// [`advise`](Self::advise), of a range.
            ///
            /// # Errors
            ///
            /// [`InvalidInput`](io::ErrorKind::InvalidInput): it ends behind the map. The host's.
            pub fn advise_range(&self, advice: Advice, offset: usize, len: usize) -> io::Result<()> {
                self.inner.advise(advice, offset, len)
            }

            /// Does nothing here.
            ///
            /// # Safety
            ///
            /// None is needed here.
            ///
            /// # Errors
            ///
            /// None.
            pub unsafe fn unchecked_advise(&self, _advice: UncheckedAdvice) -> io::Result<()> {
                Ok(())
            }

            /// Does nothing here.
            ///
            /// # Safety
            ///
            /// None is needed here.
            ///
            /// # Errors
            ///
            /// None.
            pub unsafe fn unchecked_advise_range(
                &self,
                _advice: UncheckedAdvice,
                _offset: usize,
                _len: usize,
            ) -> io::Result<()> {
                Ok(())
            }

            /// Keeps the map's bytes in memory. In a component it is all of the file that is locked, in
            /// the host's memory and within its limit on locked bytes; the file has to be open still.
            ///
            /// # Errors
            ///
            /// [`PermissionDenied`](io::ErrorKind::PermissionDenied): the host lets nobody lock. In a
            /// component: [`Unsupported`](io::ErrorKind::Unsupported) for a map without a file, and what
            /// the system says of a file that is closed. The system's.
            pub fn lock(&self) -> io::Result<()> {
                self.inner.lock()
            }

            /// They need not stay there any more.
            ///
            /// # Errors
            ///
            /// The system's.
            pub fn unlock(&self) -> io::Result<()> {
                self.inner.unlock()
            }

            /// Makes the map longer or shorter. On Linux only, as in the real crate.
            ///
            /// # Safety
            ///
            /// As for [`MmapOptions::map`]; and nobody may touch what lies behind the file's end.
            ///
            /// # Errors
            ///
            /// It can't stay where it is and may not move; it was of length 0; the system's.
            #[cfg(target_os = "linux")]
            pub unsafe fn remap(&mut self, new_len: usize, options: RemapOptions) -> io::Result<()> {
                self.inner.remap(crate::options::checked(new_len as u64)?, options.may_move)
            }
        }

        impl fmt::Debug for $map {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (ptr, len) = (self.inner.ptr(), self.inner.len());
                f.debug_struct(stringify!($map)).field("ptr", &ptr).field("len", &len).finish()
            }
        }
    )*};
}

/// What those have that are slices.
macro_rules! slices {
    ($($map:ident)*) => {$(
        impl Deref for $map {
            type Target = [u8];

            #[inline]
            fn deref(&self) -> &[u8] {
                // SAFETY: there for as long as the map is; that nobody changes the bytes is for whoever
                // mapped the file to know.
                unsafe { slice::from_raw_parts(self.inner.ptr(), self.inner.len()) }
            }
        }

        impl AsRef<[u8]> for $map {
            #[inline]
            fn as_ref(&self) -> &[u8] {
                self
            }
        }

        #[cfg(feature = "stable_deref_trait")]
        // SAFETY: the bytes stay where they are when the map moves.
        unsafe impl stable_deref_trait::StableDeref for $map {}
    )*};
}

flushed! { MmapMut MmapRaw }
advised! { Mmap MmapMut MmapRaw }
slices! { Mmap MmapMut }

impl DerefMut for MmapMut {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for reading; and a map of this type is never a frozen one.
        unsafe { slice::from_raw_parts_mut(self.inner.mut_ptr(), self.inner.len()) }
    }
}

impl AsMut<[u8]> for MmapMut {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl From<Mmap> for MmapRaw {
    fn from(map: Mmap) -> MmapRaw {
        MmapRaw { inner: map.inner }
    }
}

impl From<MmapMut> for MmapRaw {
    fn from(map: MmapMut) -> MmapRaw {
        MmapRaw { inner: map.inner }
    }
}
