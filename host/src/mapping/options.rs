//! How a file is opened and mapped, and which combinations make no sense.

use crate::error::{Error, ErrorKind};

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

/// What may be done to the files of a granted directory. With the feature `wasi` it converts to
/// and from wasmtime-wasi's.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// use iommap::{ErrorKind, FsPerms, Grants, OpenOptions, Usage};
/// let mut grants = Grants::default();
/// grants.preopened_dir(dir.path(), "/", FsPerms::ReadOnly)?;
/// let make = OpenOptions::new().read(true).write(true).create(true);
/// let made = grants.open(&Usage::new(Default::default()), "/new", &make);
/// assert_eq!(made.unwrap_err(), ErrorKind::Eacces);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsPerms {
    /// Map files for reading, and `private` in any mode.
    ReadOnly,
    /// Also create, empty, grow, cut and write files.
    ReadWrite,
}

/// How a file is opened and mapped: the interface's access mode, `open-flags` and size, as a
/// builder in the manner of [`std::fs::OpenOptions`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// use iommap::OpenOptions;
/// const NEW_LOG: OpenOptions =
///     OpenOptions::new().read(true).write(true).create(true).size(1 << 20);
/// let log = NEW_LOG.open(&path)?;
/// assert_eq!(log.len()?, 1 << 20);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "options do nothing until something is opened with them"]
pub struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) shared: bool,
    pub(crate) private: bool,
    pub(crate) lock: bool,
    pub(crate) populate: bool,
    pub(crate) nocache: bool,
    pub(crate) create: bool,
    pub(crate) truncate: bool,
    pub(crate) exclusive: bool,
    pub(crate) lockable: bool,
    pub(crate) size: Option<u64>,
}

impl OpenOptions {
    /// Nothing is allowed yet: set [`read`](OpenOptions::read), [`write`](OpenOptions::write) or
    /// both. A file is mapped as it is, at the length it has, and changes reach it.
    pub const fn new() -> OpenOptions {
        OpenOptions {
            read: false,
            write: false,
            shared: false,
            private: false,
            lock: false,
            populate: false,
            nocache: false,
            create: false,
            truncate: false,
            exclusive: false,
            lockable: false,
            size: None,
        }
    }

    /// May bytes be read through the mapping?
    pub const fn read(mut self, read: bool) -> OpenOptions {
        self.read = read;
        self
    }

    /// May bytes be written through the mapping? The file is opened for reading too, since `mmap`
    /// needs it.
    pub const fn write(mut self, write: bool) -> OpenOptions {
        self.write = write;
        self
    }

    /// Sets [`read`](OpenOptions::read) and [`write`](OpenOptions::write) at once.
    pub const fn access(mut self, access: AccessMode) -> OpenOptions {
        self.read = !matches!(access, AccessMode::Write);
        self.write = !matches!(access, AccessMode::Read);
        self
    }

    /// Changes reach the file and other processes: the default. Contradicts `private`.
    pub const fn shared(mut self, shared: bool) -> OpenOptions {
        self.shared = shared;
        self
    }

    /// Changes are copy-on-write and don't reach the file.
    pub const fn private(mut self, private: bool) -> OpenOptions {
        self.private = private;
        self
    }

    /// Lock the pages in memory (`mlock`).
    pub const fn lock(mut self, lock: bool) -> OpenOptions {
        self.lock = lock;
        self
    }

    /// Prefault the pages, for reading: MADV_POPULATE_READ on Linux, elsewhere by touching each.
    pub const fn populate(mut self, populate: bool) -> OpenOptions {
        self.populate = populate;
        self
    }

    /// Keep the pages out of the cache where the platform can (macOS: MAP_NOCACHE, F_NOCACHE);
    /// ignored elsewhere.
    pub const fn nocache(mut self, nocache: bool) -> OpenOptions {
        self.nocache = nocache;
        self
    }

    /// Keep the file open, so that there can be [locks](crate::Mapping::lock) on it: also where the
    /// mapping is for reading only, which else keeps no descriptor. A guest's mapping does so if its
    /// limits allow it locks.
    pub const fn lockable(mut self, lockable: bool) -> OpenOptions {
        self.lockable = lockable;
        self
    }

    /// Create the file if it does not exist.
    pub const fn create(mut self, create: bool) -> OpenOptions {
        self.create = create;
        self
    }

    /// Empty an existing file first.
    pub const fn truncate(mut self, truncate: bool) -> OpenOptions {
        self.truncate = truncate;
        self
    }

    /// With `create`: fail if the file exists.
    pub const fn exclusive(mut self, exclusive: bool) -> OpenOptions {
        self.exclusive = exclusive;
        self
    }

    /// Grow the file to at least this many bytes, with its blocks allocated where the platform and
    /// the file system can: `fallocate` on Linux, F_PREALLOCATE on macOS, `posix_fallocate` on
    /// FreeBSD. OpenBSD can't: there the file is sparse, and a disk that fills up is
    /// [`ErrorKind::Eio`] at the next `sync`, and not noticed before.
    pub const fn size(mut self, bytes: u64) -> OpenOptions {
        self.size = Some(bytes);
        self
    }

    /// What may be done through the mapping, or `None` if nothing may.
    pub(crate) const fn access_mode(&self) -> Option<AccessMode> {
        match (self.read, self.write) {
            (true, true) => Some(AccessMode::ReadWrite),
            (true, false) => Some(AccessMode::Read),
            (false, true) => Some(AccessMode::Write),
            (false, false) => None,
        }
    }

    /// Checks that the options are free of contradictions, and says what may be done through the
    /// mapping. What depends on the file is checked when it is open.
    pub(crate) fn validate(&self) -> Result<AccessMode, Error> {
        let contradiction = if self.shared && self.private {
            "shared contradicts private"
        } else if self.exclusive && !self.create {
            "exclusive needs create"
        } else if !self.write && self.changes_names_or_contents() {
            "create, truncate and exclusive need a mode that writes"
        } else {
            match self.access_mode() {
                Some(access) => return Ok(access),
                None => "neither read nor write",
            }
        };
        Err(Error::because(ErrorKind::Badarg, contradiction))
    }

    /// The same for a file that is there, which they leave as it is.
    pub(crate) fn again(self) -> OpenOptions {
        OpenOptions { create: false, truncate: false, exclusive: false, size: None, ..self }
    }

    /// Do the options create or empty the file?
    pub(crate) fn changes_names_or_contents(&self) -> bool {
        self.create || self.truncate || self.exclusive
    }

    /// Does what is written through the mapping reach the file?
    pub(crate) fn writes_file(&self) -> bool {
        self.write && !self.private
    }
}

/// Whether [`Mapping::sync`](crate::Mapping::sync) waits for the device.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = tempfile::NamedTempFile::new()?;
/// use iommap::{OpenOptions, SyncMode};
/// let log = OpenOptions::new().read(true).write(true).size(8).open(&path)?;
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
/// use iommap::{Advice, Mapping};
/// let index = Mapping::open(&path)?;
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

    const READ: OpenOptions = OpenOptions::new().read(true);
    const WRITE: OpenOptions = OpenOptions::new().write(true);

    #[test]
    fn contradicting_options_are_a_bad_argument() {
        for bad in [
            OpenOptions::new(),
            READ.shared(true).private(true),
            WRITE.exclusive(true),
            READ.create(true),
            READ.truncate(true),
            READ.create(true).exclusive(true).private(true),
        ] {
            assert_eq!(bad.validate().unwrap_err(), ErrorKind::Badarg, "{bad:?}");
        }
    }

    #[test]
    fn options_that_agree_are_taken() {
        for (good, access) in [
            (READ, AccessMode::Read),
            (READ.shared(true).lock(true).populate(true).nocache(true), AccessMode::Read),
            (READ.private(true).size(u64::MAX), AccessMode::Read),
            (WRITE.create(true).exclusive(true).truncate(true).private(true), AccessMode::Write),
            (READ.access(AccessMode::ReadWrite), AccessMode::ReadWrite),
        ] {
            assert_eq!(good.validate().unwrap(), access, "{good:?}");
        }
    }
}
