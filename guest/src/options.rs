//! How a file is opened and mapped.

use crate::error::Asked;
use crate::path::GuestPath;
use crate::{Error, Mapping, sys};

/// How a file is opened and mapped, in the manner of [`std::fs::OpenOptions`].
///
/// All is off at first; nothing can be opened without [`read`](OpenOptions::read) or
/// [`write`](OpenOptions::write).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// use iommap_guest::Mapping;
///
/// let log = Mapping::options().read(true).write(true).create(true).size(1 << 20).open(&path)?;
/// assert_eq!(log.len()?, 1 << 20);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) truncate: bool,
    pub(crate) private: bool,
    pub(crate) lock: bool,
    pub(crate) populate: bool,
    pub(crate) nocache: bool,
    pub(crate) size: Option<u64>,
}

impl OpenOptions {
    /// Nothing asked for yet.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// The mapping is to be read from.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.read = read;
        self
    }

    /// The mapping is to be written to. Without [`read`](OpenOptions::read), reading is refused
    /// with [`Eacces`](crate::ErrorKind::Eacces), even of nothing.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.write = write;
        self
    }

    /// Create the file if it does not exist. Needs [`write`](OpenOptions::write).
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.create = create;
        self
    }

    /// Create the file, and fail with [`Eexist`](crate::ErrorKind::Eexist) if there is one. Needs
    /// [`write`](OpenOptions::write).
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.create_new = create_new;
        self
    }

    /// Empty an existing file first. Needs [`write`](OpenOptions::write).
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.truncate = truncate;
        self
    }

    /// What is written stays in this mapping, copy-on-write (`MAP_PRIVATE`).
    /// [`create`](OpenOptions::create), [`truncate`](OpenOptions::truncate) and
    /// [`size`](OpenOptions::size) act on the file all the same.
    pub fn private(&mut self, private: bool) -> &mut Self {
        self.private = private;
        self
    }

    /// Lock the pages in the host's memory (`mlock`). Refused with
    /// [`Eacces`](crate::ErrorKind::Eacces) unless the host allows it.
    pub fn lock(&mut self, lock: bool) -> &mut Self {
        self.lock = lock;
        self
    }

    /// Have the pages read in at once. Ignored where the host's platform can't.
    pub fn populate(&mut self, populate: bool) -> &mut Self {
        self.populate = populate;
        self
    }

    /// Keep the pages out of the page cache where the host's platform can (macOS). Ignored
    /// elsewhere.
    pub fn nocache(&mut self, nocache: bool) -> &mut Self {
        self.nocache = nocache;
        self
    }

    /// Grow the file to at least this many bytes, with zeros; it is never made shorter. Their
    /// blocks are allocated where the host can, so that a full disk is
    /// [`Enospc`](crate::ErrorKind::Enospc) now. Growing needs [`write`](OpenOptions::write).
    pub fn size(&mut self, bytes: u64) -> &mut Self {
        self.size = Some(bytes);
        self
    }

    /// Opens the file and maps all of it.
    ///
    /// In a guest, the path is looked up in the directories that the host granted. A failure
    /// leaves the world as it was: no stray file, and none emptied.
    ///
    /// # Errors
    ///
    /// - [`Badarg`](crate::ErrorKind::Badarg): neither [`read`](OpenOptions::read) nor
    ///   [`write`](OpenOptions::write); an option that needs `write` without it; a path that is not
    ///   UTF-8, has a NUL in it or is too long.
    /// - [`Enoent`](crate::ErrorKind::Enoent): the path is empty, or there is no such file.
    /// - [`Eacces`](crate::ErrorKind::Eacces): not granted, or forbidden by the file's
    ///   permissions.
    /// - [`Eexist`](crate::ErrorKind::Eexist), [`Enotreg`](crate::ErrorKind::Enotreg),
    ///   [`LimitExceeded`](crate::ErrorKind::LimitExceeded),
    ///   [`Enomem`](crate::ErrorKind::Enomem), [`Enospc`](crate::ErrorKind::Enospc),
    ///   [`Efbig`](crate::ErrorKind::Efbig) and others, as the host meets them.
    pub fn open(&self, path: impl GuestPath) -> Result<Mapping, Error> {
        let path = path.to_guest()?;
        let asked = self.size.map_or(Asked::Open, Asked::Make);
        match sys::Handle::open(path, self) {
            Ok(handle) => Ok(Mapping::from_handle(handle, Some(path))),
            Err(error) => Err(error.when(asked, Some(&path.into()))),
        }
    }
}
