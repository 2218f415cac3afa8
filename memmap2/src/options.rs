//! What is mapped, and how.

use crate::inner::Inner;
use crate::pages::{Kind, Part};
use crate::{MapIfSafeError, Mmap, MmapAsRawDesc, MmapMut, MmapRaw, MmapRawDescriptor};
use std::io;

/// What is mapped, and how. Options that the host has no word for do nothing.
#[derive(Clone, Debug, Default)]
pub struct MmapOptions {
    offset: u64,
    len: Option<usize>,
    populate: bool,
}

impl MmapOptions {
    /// All of a file.
    pub fn new() -> MmapOptions {
        MmapOptions::default()
    }

    /// From this offset of the file on, which may be any.
    pub fn offset(&mut self, offset: u64) -> &mut Self {
        self.offset = offset;
        self
    }

    /// So many bytes. Without it, as many as there are up to the file's end.
    pub fn len(&mut self, len: usize) -> &mut Self {
        self.len = Some(len);
        self
    }

    /// Does nothing here.
    pub fn stack(&mut self) -> &mut Self {
        self
    }

    /// Does nothing here.
    pub fn huge(&mut self, _page_bits: Option<u8>) -> &mut Self {
        self
    }

    /// Have the pages read in at once.
    pub fn populate(&mut self) -> &mut Self {
        self.populate = true;
        self
    }

    /// Does nothing here: it is always so.
    pub fn no_reserve_swap(&mut self) -> &mut Self {
        self
    }

    /// Does nothing here.
    pub fn no_probe_handle(&mut self) -> &mut Self {
        self
    }

    /// Maps a file for reading.
    ///
    /// # Safety
    ///
    /// While the map is there nobody changes its bytes of the file, nor cuts the file short.
    ///
    /// # Errors
    ///
    /// In a component its words say what is missing.
    /// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded): this guest may have no window, no more, or no
    /// larger one. [`PermissionDenied`](io::ErrorKind::PermissionDenied): others can change the file,
    /// and nobody has told the host to trust them. [`Unsupported`](io::ErrorKind::Unsupported): the
    /// host has no windows at all, or doesn't find files that are open.
    /// [`OutOfMemory`](io::ErrorKind::OutOfMemory): the guest has not as much. Others as files have them.
    pub unsafe fn map<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        self.inner(&file, Kind::Own).map(Mmap::of)
    }

    /// Nothing can be executed.
    ///
    /// # Safety
    ///
    /// As for [`map`](MmapOptions::map).
    ///
    /// # Errors
    ///
    /// Always [`Unsupported`](io::ErrorKind::Unsupported).
    pub unsafe fn map_exec<T: MmapAsRawDesc>(&self, _file: T) -> io::Result<Mmap> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Maps a file for reading and writing.
    ///
    /// # Safety
    ///
    /// As for [`map`](MmapOptions::map).
    ///
    /// # Errors
    ///
    /// Those of [`map`](MmapOptions::map); the host allows windows that are written to by a word of
    /// their own.
    pub unsafe fn map_mut<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        self.inner(&file, Kind::Shared).map(MmapMut::of)
    }

    /// Maps a file so that what is stored stays in the map.
    ///
    /// # Safety
    ///
    /// As for [`map`](MmapOptions::map).
    ///
    /// # Errors
    ///
    /// Those of [`map`](MmapOptions::map).
    pub unsafe fn map_copy<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapMut> {
        self.inner(&file, Kind::Own).map(MmapMut::of)
    }

    /// [`map_copy`](MmapOptions::map_copy), to be made writable later.
    ///
    /// # Safety
    ///
    /// As for [`map`](MmapOptions::map).
    ///
    /// # Errors
    ///
    /// Those of [`map`](MmapOptions::map).
    pub unsafe fn map_copy_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<Mmap> {
        self.inner(&file, Kind::Own).map(Mmap::copy)
    }

    /// Maps a file that nobody can change any more: it is sealed, or has fs-verity. The host says so.
    ///
    /// # Errors
    ///
    /// It is not so, or another of [`map`](MmapOptions::map)'s.
    pub fn map_if_safe<T: MmapAsRawDesc>(&self, file: T) -> Result<Mmap, MapIfSafeError> {
        self.inner(&file, Kind::Frozen).map(Mmap::of).map_err(MapIfSafeError::of)
    }

    /// Zeros in memory of the program's own, as many as [`len`](MmapOptions::len) says.
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`](io::ErrorKind::OutOfMemory).
    pub fn map_anon(&self) -> io::Result<MmapMut> {
        Inner::anonymous(checked(self.len.unwrap_or(0) as u64)?).map(MmapMut::of)
    }

    /// Maps a file for reading and writing, to be reached by pointers.
    ///
    /// # Errors
    ///
    /// Those of [`map_mut`](MmapOptions::map_mut).
    pub fn map_raw<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.inner(&file, Kind::Shared).map(MmapRaw::of)
    }

    /// Maps a file for reading, to be reached by pointers.
    ///
    /// # Errors
    ///
    /// Those of [`map`](MmapOptions::map).
    pub fn map_raw_read_only<T: MmapAsRawDesc>(&self, file: T) -> io::Result<MmapRaw> {
        self.inner(&file, Kind::Own).map(MmapRaw::of)
    }

    fn inner<T: MmapAsRawDesc>(&self, file: &T, kind: Kind) -> io::Result<Inner> {
        let file = file.as_raw_desc();
        let len = self.len_of(&file)?;
        Inner::map(&file, Part { offset: self.offset, len, populate: self.populate }, kind)
    }

    fn len_of(&self, file: &MmapRawDescriptor) -> io::Result<usize> {
        if let Some(len) = self.len {
            return checked(len as u64);
        }
        let left = file.len()?.checked_sub(self.offset);
        let words = "the offset is larger than the file is long";
        checked(left.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, words))?)
    }
}

/// A length that a slice may have.
pub(crate) fn checked(len: u64) -> io::Result<usize> {
    let fits = usize::try_from(len).ok().filter(|len| *len <= isize::MAX as usize);
    let words = "the map would be longer than memory can be";
    fits.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, words))
}

/// How a map may be made longer or shorter.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, Default)]
pub struct RemapOptions {
    pub(crate) may_move: bool,
}

#[cfg(target_os = "linux")]
impl RemapOptions {
    /// It stays where it is.
    pub fn new() -> RemapOptions {
        RemapOptions::default()
    }

    /// May it move?
    pub fn may_move(mut self, may_move: bool) -> RemapOptions {
        self.may_move = may_move;
        self
    }
}
