//! Why an operation failed.

mod asked;
mod kind;

pub(crate) use asked::Asked;
pub use kind::ErrorKind;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// Why an operation on a mapping failed: of which [kind](Error::kind) it is, on which file, and
/// what was asked for.
///
/// It reads as words, also where `main` returns it, which prints it with `{:?}`:
///
/// ```
/// use iommap_guest::{ErrorKind, Mapping};
///
/// let error = Mapping::open("/no/index.bin").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Enoent);
/// assert_eq!(error.path(), Some("/no/index.bin"));
/// assert_eq!(error.to_string(), "cannot open /no/index.bin: no such file");
/// assert_eq!(format!("{error:?}"), "cannot open /no/index.bin: no such file (enoent)");
/// ```
///
/// Two errors are equal if they are of one kind.
///
/// With the feature `std` it converts to a [`std::io::Error`] of the right kind, from which it can
/// be had back:
///
/// ```
/// # #[cfg(feature = "std")] {
/// use iommap_guest::{Error, ErrorKind};
/// use std::io;
///
/// let error = io::Error::from(Error::from(ErrorKind::Enoent));
/// assert_eq!(error.kind(), io::ErrorKind::NotFound);
///
/// let source = error.get_ref().and_then(|source| source.downcast_ref::<Error>());
/// assert_eq!(source.map(Error::kind), Some(ErrorKind::Enoent));
/// # }
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    asked: Asked,
    // Shared with the mapping, so that an error allocates nothing.
    path: Option<Arc<str>>,
    message: Option<Box<str>>,
}

impl Error {
    /// Which of the interface's cases it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The path that the file was opened by, as far as it is known.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The host's own words, if the kind is [`ErrorKind::Other`] and it had any.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// One for which the interface has no case.
    pub(crate) fn other(message: Option<Box<str>>) -> Error {
        Error { message, ..Error::from(ErrorKind::Other) }
    }

    /// The same, with what was asked for, and of which file.
    #[cold]
    pub(crate) fn when(self, asked: Asked, path: Option<&Arc<str>>) -> Error {
        Error { asked, path: path.cloned(), ..self }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Error {
        Error { kind, asked: Asked::Unknown, path: None, message: None }
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Error {}

impl PartialEq<ErrorKind> for Error {
    fn eq(&self, kind: &ErrorKind) -> bool {
        self.kind == *kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asked.write(f, self.path())?;
        f.write_str(self.message().unwrap_or(self.kind.words()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.kind.name())
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
mod io {
    use super::{Error, ErrorKind};
    use std::io;

    /// Of the kind that a file would report. The error itself is kept:
    /// [`io::Error::get_ref`] and [`io::Error::downcast`] have it.
    impl From<Error> for io::Error {
        fn from(error: Error) -> io::Error {
            io::Error::new(kind(error.kind), error)
        }
    }

    fn kind(kind: ErrorKind) -> io::ErrorKind {
        match kind {
            ErrorKind::Badarg | ErrorKind::Enotreg => io::ErrorKind::InvalidInput,
            ErrorKind::Enomem => io::ErrorKind::OutOfMemory,
            ErrorKind::Enoent => io::ErrorKind::NotFound,
            ErrorKind::Eacces => io::ErrorKind::PermissionDenied,
            // There is less than was to be there, whether it never was or was cut off.
            ErrorKind::OutOfBounds | ErrorKind::Sigbus => io::ErrorKind::UnexpectedEof,
            ErrorKind::Eexist => io::ErrorKind::AlreadyExists,
            ErrorKind::Enospc => io::ErrorKind::StorageFull,
            ErrorKind::Efbig => io::ErrorKind::FileTooLarge,
            ErrorKind::LimitExceeded => io::ErrorKind::QuotaExceeded,
            ErrorKind::Enotsup => io::ErrorKind::Unsupported,
            // std has no stable kind for these.
            ErrorKind::Closed | ErrorKind::Emfile | ErrorKind::Eio | ErrorKind::Other => {
                io::ErrorKind::Other
            }
        }
    }
}
