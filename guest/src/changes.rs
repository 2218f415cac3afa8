//! What has become of the file behind a mapping, and reads that take it into account.

use crate::error::Asked;
use crate::mapping::as_uninit;
use crate::{Error, Mapping};
use core::time::Duration;

/// A mapping's file at some moment, and in what it is not what it was when it was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileState {
    /// Its length in bytes.
    pub length: u64,
    /// When it was last modified, in nanoseconds since 1970.
    pub modified_at: u64,
    /// It ends in front of the mapping's end.
    pub shorter: bool,
    /// It ends behind the mapping's end.
    pub longer: bool,
    /// The time of its last modification is another. What is written through a mapping sets it too,
    /// though not with each write.
    pub modified: bool,
    /// Its path names something else. The mapping still has the file that it was opened on.
    pub replaced: bool,
    /// Its path names nothing, or nothing that the program may open.
    pub gone: bool,
}

impl FileState {
    /// Does its path no longer name the file that the mapping has?
    /// [`remap`](Mapping::remap) maps what it names, if that is anything.
    pub fn is_elsewhere(&self) -> bool {
        self.replaced || self.gone
    }
}

/// A mapping shows pages, and does not say that somebody has made the file longer, has cut it in the
/// middle of a page, or has put another in its place. Here it is asked. A host tells nothing of that
/// unless it was told to ([`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup)), but for `read_up_to`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let (path, new) = (dir.path().join("index"), dir.path().join("new"));
/// # std::fs::write(&path, b"old entries")?;
/// use iommap_guest::Mapping;
///
/// let mut index = Mapping::open(&path)?;
/// std::fs::write(&new, b"entries")?;
/// std::fs::rename(&new, &path)?;
/// if index.changed()?.replaced {
///     index = index.remap()?;
/// }
/// assert_eq!(index.read_to_vec(0, 7)?, b"entries");
/// # Ok(())
/// # }
/// ```
impl Mapping {
    /// What has become of the file since it was mapped. The path that it was opened by is looked up
    /// again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): the host does not tell this program.
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn changed(&self) -> Result<FileState, Error> {
        self.handle().changed().map_err(self.when(Asked::Changed))
    }

    /// How long the file is now, whatever the mapping's length. Asked after something was read from a
    /// window, it tells whether the file still reached to its end.
    ///
    /// # Errors
    ///
    /// Those of [`changed`](Mapping::changed).
    pub fn file_len(&self) -> Result<u64, Error> {
        self.handle().file_len().map_err(self.when(Asked::Changed))
    }

    /// Reads into `buf` from `offset` on, in one call, and returns how many bytes: up to the end of
    /// the mapping, and as many as the host moves in one call. It is 0 only at the end, behind it, or
    /// if `buf` is empty. What `buf` holds behind them is unspecified.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Eacces`](crate::ErrorKind::Eacces), [`ErrorKind::Sigbus`](crate::ErrorKind::Sigbus),
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), as for [`read_at`](Mapping::read_at).
    pub fn read_up_to(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let length = buf.len() as u64;
        let read = self.handle().read_up_to(offset, as_uninit(buf));
        read.map_err(self.when(Asked::Read { offset, length }))
    }

    /// Fills `buf` from `offset` on, as [`read_exact_at`](Mapping::read_exact_at) does, but is
    /// [`ErrorKind::Sigbus`](crate::ErrorKind::Sigbus) also where the file ends inside its last page,
    /// in front of the end of the range.
    ///
    /// The file's length is asked for after the copy. A file that was cut before it, and has grown
    /// back by then, is not noticed: [`changed`](Mapping::changed) tells that it was modified.
    ///
    /// # Errors
    ///
    /// Those of `read_exact_at`, and of `changed`.
    pub fn read_strict(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let length = buf.len() as u64;
        self.strictly(offset, as_uninit(buf)).map_err(self.when(Asked::Read { offset, length }))
    }

    /// Maps what the mapping's path names now, with the same options, but for those that make, empty
    /// or lengthen a file. This mapping shows what it shows until it is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`](crate::OpenOptions::open) and of [`changed`](Mapping::changed);
    /// [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup) also if it was not opened by a path.
    pub fn remap(&self) -> Result<Mapping, Error> {
        let handle = self.handle().remap().map_err(self.when(Asked::Remap))?;
        Ok(self.again(handle))
    }

    /// Waits until [`changed`](Mapping::changed) says something else than what is `known`, and returns
    /// that; `None` if the time is over before. Without a time it waits as long as it takes.
    ///
    /// # Errors
    ///
    /// Those of `changed`; [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded): more wait at
    /// once than may.
    pub fn wait_for_change(
        &self,
        known: &FileState,
        wait: Option<Duration>,
    ) -> Result<Option<FileState>, Error> {
        self.handle().wait_for_change(known, wait).map_err(self.when(Asked::Changed))
    }
}
