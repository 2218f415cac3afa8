//! Storage for a native program.

use super::{Space, run_all};
use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::mapping::range::Range;
use crate::mapping::{Mapping, SyncMode};

/// Holes and blocks of the file, its entry, and many mappings on the device at once: see
/// `wit/storage.wit`.
impl Mapping {
    /// Gives the blocks of a range back to the file system: its bytes are zero from then on, for
    /// everybody who has the file. Its length never changes, whatever others do to it meanwhile.
    /// Length 0 does nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eacces`] for a mapping whose writes don't reach the file,
    /// or one that the embedder [shares](crate::Grants::share); [`ErrorKind::OutOfBounds`];
    /// [`ErrorKind::Enotsup`] where system or file system have no holes: only Linux has them so far.
    pub fn punch_hole(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.change_space(Space::Hole, offset, length)
    }

    /// Makes the bytes of a range zero, with blocks allocated for all of it, without writing them
    /// where the file system can.
    ///
    /// # Errors
    ///
    /// Those of [`punch_hole`](Mapping::punch_hole); [`ErrorKind::LimitExceeded`] for a range that ends
    /// behind the length to which the store may make a file; [`ErrorKind::Enospc`], after which the
    /// bytes may be zero all the same.
    pub fn zero_range(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.change_space(Space::Zeros, offset, length)
    }

    /// Has blocks allocated for a range, so that a write to it doesn't fail for want of space. Its
    /// bytes stay.
    ///
    /// # Errors
    ///
    /// Those of [`zero_range`](Mapping::zero_range). After [`ErrorKind::Enospc`] a part may be
    /// allocated.
    pub fn allocate(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.change_space(Space::Blocks, offset, length)
    }

    /// Has the device keep the entry by which the file is found (`fsync` of its directory): what a
    /// new file needs once, beside [`sync`](Mapping::sync). The directory is the one that the path
    /// leads to now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eacces`] as for [`punch_hole`](Mapping::punch_hole), or if the
    /// path leads out of the grant or its directory may not be read; [`ErrorKind::Enotsup`] for a mapping
    /// that was not opened by a path; [`ErrorKind::Enoent`] if the path doesn't name the file any more, or
    /// ends in a link; [`ErrorKind::Eio`].
    pub fn sync_entry(&self) -> Result<(), Error> {
        let work = self.shared().sync_entry()?;
        work.run()
    }

    /// [`sync`](Mapping::sync) for many mappings: returns when the device has what was changed through
    /// all of them. If one can't be written back the others are all the same.
    ///
    /// # Errors
    ///
    /// That of the first that fails, with its place in `mappings`. Every later `sync` of one that failed
    /// fails too. If one is [`ErrorKind::Closed`], nothing is done.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// use iommap::Mapping;
    /// let options = Mapping::options().read(true).write(true).create(true).size(4096);
    /// let [log, index] = ["log", "index"].map(|name| options.open(dir.path().join(name)));
    /// let (log, index) = (log?, index?);
    /// index.pwrite(0, b"1")?;
    /// log.pwrite(0, b"one")?;
    /// Mapping::sync_many(&[&log, &index]).map_err(|(_, error)| error)?;
    /// log.sync_entry()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sync_many(mappings: &[&Mapping]) -> Result<(), (usize, Error)> {
        let begin = |(index, mapping): (usize, &&Mapping)| {
            let work = mapping.shared().write_back(None, SyncMode::Sync);
            work.map(|work| (index, work)).map_err(|error| (index, error))
        };
        run_all(mappings.iter().enumerate().map(begin).collect::<Result<_, _>>()?)
    }

    fn change_space(&self, space: Space, offset: u64, length: u64) -> Result<(), Error> {
        let work = self.shared().change_space(space, Range { offset, length })?;
        work.run()
    }
}
