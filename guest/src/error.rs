//! Why an operation failed.

use alloc::string::String;
use core::fmt;

/// Why an operation on a mapping failed.
///
/// [`code`](Error::code) tells which of the interface's cases it is. With the feature `std` it
/// converts to a [`std::io::Error`] of the right kind, from which it can be had back:
///
/// ```
/// # #[cfg(feature = "std")] {
/// use iommap_guest::{Error, ErrorCode};
/// use std::io;
///
/// let error = io::Error::from(Error::from(ErrorCode::Enoent));
/// assert_eq!(error.kind(), io::ErrorKind::NotFound);
///
/// let source = error.get_ref().and_then(|source| source.downcast_ref::<Error>());
/// assert_eq!(source.map(Error::code), Some(ErrorCode::Enoent));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
}

impl Error {
    /// Which of the interface's cases it is, with the host's words if it is
    /// [`ErrorCode::Other`].
    pub fn code(&self) -> ErrorCode {
        self.code.clone()
    }

    /// The same, without a copy.
    pub fn into_code(self) -> ErrorCode {
        self.code
    }

    /// Is it this case?
    pub(crate) fn is(&self, code: &ErrorCode) -> bool {
        self.code == *code
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Error {
        Error { code }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.code {
            ErrorCode::Badarg => "invalid argument: options that contradict each other, or no path",
            ErrorCode::Enomem => "no memory or address space left, or the pages cannot be locked",
            ErrorCode::Enoent => "no such file, or a directory on its path is missing",
            ErrorCode::Eacces => "not permitted by the access mode, the grant or the file",
            ErrorCode::Closed => "the mapping is closed",
            ErrorCode::OutOfBounds => "the range ends beyond the mapping",
            ErrorCode::Sigbus => "the file no longer backs a page of the range: it was cut short",
            ErrorCode::Eexist => "the file exists already",
            ErrorCode::Enotreg => "not a regular file",
            ErrorCode::Enospc => "no space left on the device",
            ErrorCode::Efbig => "the file would grow past what the file system allows",
            ErrorCode::Emfile => "too many open files in the host",
            ErrorCode::LimitExceeded => "a limit that the host set for this guest is reached",
            ErrorCode::Enotsup => "not supported by the platform or the file system",
            ErrorCode::Eio => "the device failed",
            ErrorCode::Other(Some(words)) => words,
            ErrorCode::Other(None) => "the host failed and did not say why",
        })
    }
}

impl core::error::Error for Error {}

/// The cases of the interface's `error-code`, by the names that they have there.
///
/// When several apply, the first of these is reported: closed, `eacces`, out of bounds, a limit,
/// and then the operation's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// An argument is invalid on its own: contradictory options, a NUL in a path.
    Badarg,
    /// The host could not reserve memory or address space, or lock pages; or the guest has no
    /// memory for what it wants to read.
    Enomem,
    /// No such file, or a directory on its path is missing.
    Enoent,
    /// The access mode, the grant or the file's permissions forbid it, or the path leads outside
    /// the granted directories.
    Eacces,
    /// The mapping has been closed.
    Closed,
    /// The range does not lie wholly inside the mapping.
    OutOfBounds,
    /// The file no longer backs a page of the range: another process cut it, or the disk is full.
    Sigbus,
    /// The file exists and was asked to be new.
    Eexist,
    /// Not a regular file: a directory, pipe, socket or device.
    Enotreg,
    /// No space left on the device, or a disk quota is exhausted.
    Enospc,
    /// The file would grow past what the file system allows.
    Efbig,
    /// Too many open files in the host.
    Emfile,
    /// The limit that the host set for this guest is reached.
    LimitExceeded,
    /// The platform or the file system does not support it.
    Enotsup,
    /// The device failed.
    Eio,
    /// Anything else, in the host's words.
    Other(Option<String>),
}

impl ErrorCode {
    /// The name that the case has in `iommap.wit`, such as `out-of-bounds`.
    ///
    /// ```
    /// assert_eq!(iommap_guest::ErrorCode::OutOfBounds.name(), "out-of-bounds");
    /// ```
    pub fn name(&self) -> &'static str {
        match self {
            ErrorCode::Badarg => "badarg",
            ErrorCode::Enomem => "enomem",
            ErrorCode::Enoent => "enoent",
            ErrorCode::Eacces => "eacces",
            ErrorCode::Closed => "closed",
            ErrorCode::OutOfBounds => "out-of-bounds",
            ErrorCode::Sigbus => "sigbus",
            ErrorCode::Eexist => "eexist",
            ErrorCode::Enotreg => "enotreg",
            ErrorCode::Enospc => "enospc",
            ErrorCode::Efbig => "efbig",
            ErrorCode::Emfile => "emfile",
            ErrorCode::LimitExceeded => "limit-exceeded",
            ErrorCode::Enotsup => "enotsup",
            ErrorCode::Eio => "eio",
            ErrorCode::Other(_) => "other",
        }
    }
}

#[cfg(feature = "std")]
mod io {
    use super::{Error, ErrorCode};
    use std::io;

    /// Of the kind that a file would report. The error itself is kept:
    /// [`io::Error::get_ref`] and [`io::Error::downcast`] have it.
    impl From<Error> for io::Error {
        fn from(error: Error) -> io::Error {
            io::Error::new(kind(&error.code), error)
        }
    }

    fn kind(code: &ErrorCode) -> io::ErrorKind {
        use io::ErrorKind;
        match code {
            ErrorCode::Badarg | ErrorCode::Enotreg => ErrorKind::InvalidInput,
            ErrorCode::Enomem => ErrorKind::OutOfMemory,
            ErrorCode::Enoent => ErrorKind::NotFound,
            ErrorCode::Eacces => ErrorKind::PermissionDenied,
            // There is less than was to be there, whether it never was or was cut off.
            ErrorCode::OutOfBounds | ErrorCode::Sigbus => ErrorKind::UnexpectedEof,
            ErrorCode::Eexist => ErrorKind::AlreadyExists,
            ErrorCode::Enospc => ErrorKind::StorageFull,
            ErrorCode::Efbig => ErrorKind::FileTooLarge,
            ErrorCode::LimitExceeded => ErrorKind::QuotaExceeded,
            ErrorCode::Enotsup => ErrorKind::Unsupported,
            // std has no stable kind for these.
            ErrorCode::Closed | ErrorCode::Emfile | ErrorCode::Eio | ErrorCode::Other(_) => {
                ErrorKind::Other
            }
        }
    }
}
