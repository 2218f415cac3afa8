//! How a file is opened and mapped, and which combinations make no sense.

use crate::error::Error;

/// What may be done through a mapping.
///
/// ```
/// use iommap::AccessMode;
/// assert!(AccessMode::ReadWrite.reads() && AccessMode::ReadWrite.writes());
/// assert!(!AccessMode::Write.reads() && !AccessMode::Read.writes());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// `pread` only.
    Read,
    /// `pwrite` only; the file is opened for both, since `mmap` needs it.
    Write,
    /// Both.
    ReadWrite,
}

impl AccessMode {
    /// May bytes be read through the mapping?
    pub fn reads(self) -> bool {
        self != AccessMode::Write
    }

    /// May bytes be written through the mapping?
    pub fn writes(self) -> bool {
        self != AccessMode::Read
    }
}

/// How a file is opened and mapped: the interface's `open-flags`, the access mode and the size.
///
/// ```
/// use iommap::{AccessMode, OpenOptions};
/// let new_log = OpenOptions { create: true, size: Some(1 << 20), ..OpenOptions::new(AccessMode::ReadWrite) };
/// assert!(new_log.validate().is_ok());
/// let nonsense = OpenOptions { create: true, ..OpenOptions::new(AccessMode::Read) };
/// assert!(nonsense.validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// What may be done through the mapping.
    pub access: AccessMode,
    /// Changes reach the file and other processes: the default. Contradicts `private`.
    pub shared: bool,
    /// Changes are copy-on-write and stay in this mapping.
    pub private: bool,
    /// Lock the pages in memory (`mlock`).
    pub lock: bool,
    /// Prefault the pages, for reading: MADV_POPULATE_READ on Linux, elsewhere by touching each.
    pub populate: bool,
    /// Keep the pages out of the cache where the platform can (macOS: MAP_NOCACHE, F_NOCACHE);
    /// ignored elsewhere.
    pub nocache: bool,
    /// Create the file if it does not exist.
    pub create: bool,
    /// Empty an existing file first.
    pub truncate: bool,
    /// With `create`: fail if the file exists.
    pub exclusive: bool,
    /// Grow the file to at least this many bytes, with its blocks allocated where the platform and
    /// the file system can: `fallocate` on Linux, F_PREALLOCATE on macOS, `posix_fallocate` on
    /// FreeBSD. OpenBSD can't: there the file is sparse, and a disk that fills up is
    /// [`Error::Io`] at the next `sync`, and not noticed before.
    pub size: Option<u64>,
}

impl OpenOptions {
    /// Maps a file that exists, shared, at the length it has.
    pub fn new(access: AccessMode) -> OpenOptions {
        OpenOptions {
            access,
            shared: false,
            private: false,
            lock: false,
            populate: false,
            nocache: false,
            create: false,
            truncate: false,
            exclusive: false,
            size: None,
        }
    }

    /// Are the options free of contradictions? What depends on the file is checked when it is
    /// open.
    ///
    /// # Errors
    ///
    /// [`Error::BadArg`]: `shared` with `private`, `exclusive` without `create`, or an option
    /// that changes the file in mode `read`.
    pub fn validate(&self) -> Result<(), Error> {
        let contradiction = (self.shared && self.private)
            || (self.exclusive && !self.create)
            || (self.access == AccessMode::Read && self.changes_names_or_contents());
        if contradiction { Err(Error::BadArg) } else { Ok(()) }
    }

    /// Do the options create or empty the file?
    pub(crate) fn changes_names_or_contents(&self) -> bool {
        self.create || self.truncate || self.exclusive
    }
}

/// Whether [`Mapping::sync`](crate::Mapping::sync) waits for the device.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = tempfile::NamedTempFile::new()?;
/// use iommap::{AccessMode, Account, FsPerms, Mapping, OpenOptions, SyncMode};
/// let file = std::fs::File::options().read(true).write(true).open(path)?.into();
/// let options = OpenOptions { size: Some(8), ..OpenOptions::new(AccessMode::ReadWrite) };
/// let account = Account::new(Default::default());
/// let log = Mapping::from_file(&file, "log", FsPerms::ReadWrite, &account, &options)?;
/// log.pwrite(0, b"entry")?;
/// log.sync(SyncMode::Sync)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Returns when the device has the bytes (`MS_SYNC`; with it F_FULLFSYNC on macOS, `fdatasync`
    /// on OpenBSD).
    Sync,
    /// Starts the transfer and returns (`MS_ASYNC`).
    Async,
}

/// The access pattern to expect.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = tempfile::NamedTempFile::new()?;
/// # std::fs::write(&path, "a table of contents")?;
/// use iommap::{AccessMode, Account, Advice, FsPerms, Mapping, OpenOptions};
/// let file = std::fs::File::open(path)?.into();
/// let (options, account) = (OpenOptions::new(AccessMode::Read), Account::new(Default::default()));
/// let index = Mapping::from_file(&file, "index", FsPerms::ReadOnly, &account, &options)?;
/// index.advise(0, 0, Advice::Random)?;
/// index.advise(0, 8, Advice::WillNeed)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// No particular pattern (`MADV_NORMAL`).
    Normal,
    /// Here and there: reading ahead is of no use (`MADV_RANDOM`).
    Random,
    /// From front to back (`MADV_SEQUENTIAL`).
    Sequential,
    /// Soon needed: read it in now (`MADV_WILLNEED`, or `MADV_POPULATE_READ` for a small range).
    WillNeed,
    /// Not needed for now; nothing is lost (`MADV_DONTNEED`).
    DontNeed,
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: OpenOptions = OpenOptions {
        access: AccessMode::Read,
        shared: false,
        private: false,
        lock: false,
        populate: false,
        nocache: false,
        create: false,
        truncate: false,
        exclusive: false,
        size: None,
    };

    #[test]
    fn given_contradicting_options_when_validated_then_they_are_a_bad_argument() {
        let write = OpenOptions::new(AccessMode::Write);
        for bad in [
            OpenOptions { shared: true, private: true, ..READ },
            OpenOptions { exclusive: true, ..write.clone() },
            OpenOptions { create: true, ..READ },
            OpenOptions { truncate: true, ..READ },
            OpenOptions { create: true, exclusive: true, private: true, ..READ },
        ] {
            assert_eq!(bad.validate(), Err(Error::BadArg), "{bad:?}");
        }
    }

    #[test]
    fn given_options_that_agree_when_validated_then_they_are_taken() {
        let write = OpenOptions::new(AccessMode::Write);
        for good in [
            READ,
            OpenOptions { shared: true, lock: true, populate: true, nocache: true, ..READ },
            OpenOptions { private: true, size: Some(u64::MAX), ..READ },
            OpenOptions { create: true, exclusive: true, truncate: true, private: true, ..write },
        ] {
            assert_eq!(good.validate(), Ok(()), "{good:?}");
        }
    }
}
