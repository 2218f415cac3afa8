//! The storage behind a mapped file: holes, blocks, its entry, and many mappings at once.

use crate::error::Asked;
use crate::{Error, Mapping, Range, sys};
use alloc::vec::Vec;

/// So many mappings every host takes in one call.
const AT_ONCE: usize = 1024;

/// What becomes of a range of a file.
#[derive(Clone, Copy)]
pub(crate) enum Space {
    Hole,
    Zeros,
    Blocks,
}

/// The storage behind the file. None of it changes the file's length, whatever others do to that
/// meanwhile, and none is for mappings whose writes don't reach the file:
/// [`ErrorKind::Eacces`](crate::ErrorKind::Eacces).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if cfg!(not(target_os = "linux")) { return Ok(()) }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// use iommap_guest::{ErrorKind, Mapping};
///
/// let log = Mapping::options().read(true).write(true).create(true).size(1 << 20).open(&path)?;
/// log.write_all_at(0, b"an old record, and a new one")?;
/// log.sync()?;
/// log.sync_entry()?;
/// match log.punch_hole(0..15) {
///     Err(error) if error == ErrorKind::Enotsup => {}
///     done => {
///         done?;
///         assert_eq!(&log.read_array::<28>(0)?[14..], b"\0and a new one");
///     }
/// }
/// # Ok(())
/// # }
/// ```
impl Mapping {
    /// Gives the blocks of a range back to the file system. Its bytes are zero from then on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): the host's system or the file system has no
    /// holes. [`ErrorKind::OutOfBounds`](crate::ErrorKind::OutOfBounds),
    /// [`ErrorKind::Eacces`](crate::ErrorKind::Eacces),
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn punch_hole(&self, range: impl Into<Range>) -> Result<(), Error> {
        self.change_space(Space::Hole, range.into())
    }

    /// Makes the bytes of a range zero, with blocks allocated for all of it.
    ///
    /// # Errors
    ///
    /// Those of [`punch_hole`](Mapping::punch_hole);
    /// [`ErrorKind::Enospc`](crate::ErrorKind::Enospc): there are not enough blocks;
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded): the range ends behind the length
    /// to which the host lets this program make a file.
    pub fn zero_range(&self, range: impl Into<Range>) -> Result<(), Error> {
        self.change_space(Space::Zeros, range.into())
    }

    /// Has blocks allocated for a range, so that to write there doesn't fail for want of space. Its
    /// bytes stay.
    ///
    /// # Errors
    ///
    /// Those of [`zero_range`](Mapping::zero_range).
    pub fn allocate(&self, range: impl Into<Range>) -> Result<(), Error> {
        self.change_space(Space::Blocks, range.into())
    }

    /// Has the device keep the entry by which the file is found, in the directory where its path
    /// leads now. A new file needs that once, beside [`sync`](Mapping::sync).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enoent`](crate::ErrorKind::Enoent): the path doesn't name the file any more, or
    /// ends in a link; [`ErrorKind::Enotsup`](crate::ErrorKind::Enotsup): the mapping was not opened
    /// by a path; [`ErrorKind::Eacces`](crate::ErrorKind::Eacces): its writes do not reach the file, the
    /// path leads out of the grant, or its directory may not be read;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), [`ErrorKind::Eio`](crate::ErrorKind::Eio).
    pub fn sync_entry(&self) -> Result<(), Error> {
        self.handle().sync_entry().map_err(self.when(Asked::SyncEntry))
    }

    fn change_space(&self, space: Space, range: Range) -> Result<(), Error> {
        self.handle().change_space(space, range).map_err(self.when(Asked::Space(space, range)))
    }
}

/// Writes all that was changed through these mappings back to the device, and waits for it: what
/// [`Mapping::sync`] does, for many at once. If one fails the others are written back all the same.
///
/// # Errors
///
/// Those of [`Mapping::sync`]: of the first that fails, whose path the error has. Every later `sync`
/// of one that failed fails too. If one is [`ErrorKind::Closed`](crate::ErrorKind::Closed), nothing is
/// done for the rest.
pub fn sync_all(mappings: &[&Mapping]) -> Result<(), Error> {
    let mut first = Ok(());
    for mappings in mappings.chunks(AT_ONCE) {
        let handles: Vec<_> = mappings.iter().map(|mapping| mapping.handle()).collect();
        let done =
            sys::Handle::sync_many(&handles).map_err(|(index, error)| match mappings.get(index) {
                Some(mapping) => mapping.when(Asked::Sync)(error),
                None => error,
            });
        first = first.and(done);
    }
    first
}
