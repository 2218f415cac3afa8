//! Reads that know how long the file is, for a native program.

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::mapping::Mapping;
#[cfg(doc)]
use crate::mapping::OpenOptions;
use crate::mapping::range::Range;

/// A file that others make shorter and longer meanwhile: see `wit/changes.wit`.
impl Mapping {
    /// Fills as much of `target` as there is from `offset` on, and tells how much: up to the end of
    /// the mapping, and what one call may move.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Eacces`], [`ErrorKind::Sigbus`], as of
    /// [`pread`](Mapping::pread); [`ErrorKind::LimitExceeded`] if a call may move nothing.
    pub fn pread_up_to(&self, offset: u64, target: &mut [u8]) -> Result<usize, Error> {
        let mapped = self.shared();
        let range = mapped.up_to(Range { offset, length: target.len() as u64 })?;
        let there = range.length as usize;
        mapped.read(range.offset, &mut target[..there])?;
        mapped.usage().count_read(range.length);
        Ok(there)
    }

    /// Fills `target` from `offset` on, as [`pread`](Mapping::pread) does, but is
    /// [`ErrorKind::Sigbus`] also where the file ends inside its last page, in front of the end of
    /// the range. The file's length is asked for after the copy: see `read-strict` in
    /// `wit/changes.wit` for what that says of a file that changes meanwhile.
    ///
    /// It needs a mapping that has kept its file: one that may change it, one that was opened
    /// [`lockable`](OpenOptions::lockable), or one of a store that has
    /// [watches](crate::Limits::watches).
    ///
    /// # Errors
    ///
    /// Those of `pread`; [`ErrorKind::Enotsup`] for a mapping that has not.
    pub fn pread_strict(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        let mapped = self.shared();
        let range = Range { offset, length: target.len() as u64 };
        mapped.check_strict(range)?;
        mapped.read(offset, target)?;
        mapped.check_reached(range)?;
        mapped.usage().count_read(range.length);
        Ok(())
    }

    /// How long the file is now, whatever the mapping's length (`fstat`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Enotsup`] as for
    /// [`pread_strict`](Mapping::pread_strict).
    pub fn file_len(&self) -> Result<u64, Error> {
        self.shared().file_len()
    }
}
