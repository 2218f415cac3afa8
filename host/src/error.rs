//! Why an operation failed, and which `errno` becomes which reason.
//!
//! [`ErrorKind`] has a variant for each case of `error-code` in `wit/iommap.wit`, under the same
//! name. An [`Error`] also carries what only the host's log is told: the `errno`, and a reason in
//! words. Whatever the world can cause is an [`Error`]; a bad handle or a bug of the host is a
//! trap and never comes through here.

use rustix::io::Errno;
use std::fmt;
use std::io;

/// What kind of failure it was: the cases of the interface's `error-code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid on its own: contradictory options, a NUL in a path.
    Badarg,
    /// The host could not reserve memory or address space, or lock pages (`ENOMEM`).
    Enomem,
    /// No such file, or a directory on its path is missing (`ENOENT`, `ENOTDIR`).
    Enoent,
    /// The access mode, the grant or the file's permissions forbid it, or the path leads
    /// outside the granted directories (`EACCES`, `EPERM`, `EROFS`, `EXDEV`, `ELOOP`).
    Eacces,
    /// The mapping has been closed.
    Closed,
    /// The range does not lie wholly inside the mapping.
    OutOfBounds,
    /// The file no longer backs a page of the range (`SIGBUS`, recovered by the guard).
    Sigbus,
    /// The file exists and was asked to be new (`EEXIST`).
    Eexist,
    /// Not a regular file: a directory, pipe, socket or device.
    Enotreg,
    /// No space left on the device, or a disk quota is exhausted (`ENOSPC`, `EDQUOT`).
    Enospc,
    /// The file would grow past what the file system or the process allows (`EFBIG`).
    Efbig,
    /// Too many open files in the host (`EMFILE`, `ENFILE`).
    Emfile,
    /// A limit that the embedder set is reached.
    LimitExceeded,
    /// The platform or the file system does not support it (`ENOTSUP`, `ENODEV`).
    Enotsup,
    /// The device failed (`EIO`).
    Eio,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// All of them, for a metric of each.
    pub const ALL: &[ErrorKind] = &[
        ErrorKind::Badarg,
        ErrorKind::Enomem,
        ErrorKind::Enoent,
        ErrorKind::Eacces,
        ErrorKind::Closed,
        ErrorKind::OutOfBounds,
        ErrorKind::Sigbus,
        ErrorKind::Eexist,
        ErrorKind::Enotreg,
        ErrorKind::Enospc,
        ErrorKind::Efbig,
        ErrorKind::Emfile,
        ErrorKind::LimitExceeded,
        ErrorKind::Enotsup,
        ErrorKind::Eio,
        ErrorKind::Other,
    ];

    /// The case's name in `wit/iommap.wit`, such as `out-of-bounds`.
    ///
    /// ```
    /// assert_eq!(iommap::ErrorKind::OutOfBounds.name(), "out-of-bounds");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            ErrorKind::Badarg => "badarg",
            ErrorKind::Enomem => "enomem",
            ErrorKind::Enoent => "enoent",
            ErrorKind::Eacces => "eacces",
            ErrorKind::Closed => "closed",
            ErrorKind::OutOfBounds => "out-of-bounds",
            ErrorKind::Sigbus => "sigbus",
            ErrorKind::Eexist => "eexist",
            ErrorKind::Enotreg => "enotreg",
            ErrorKind::Enospc => "enospc",
            ErrorKind::Efbig => "efbig",
            ErrorKind::Emfile => "emfile",
            ErrorKind::LimitExceeded => "limit-exceeded",
            ErrorKind::Enotsup => "enotsup",
            ErrorKind::Eio => "eio",
            ErrorKind::Other => "other",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            ErrorKind::Badarg => "invalid argument",
            ErrorKind::Enomem => "no memory or address space left, or the pages cannot be locked",
            ErrorKind::Enoent => "no such file, or a directory on its path is missing",
            ErrorKind::Eacces => "not permitted by the access mode, the grant or the file",
            ErrorKind::Closed => "the mapping is closed",
            ErrorKind::OutOfBounds => "the range does not lie inside the mapping",
            ErrorKind::Sigbus => "the file no longer backs a page of the range",
            ErrorKind::Eexist => "the file exists already",
            ErrorKind::Enotreg => "not a regular file",
            ErrorKind::Enospc => "no space left on the device",
            ErrorKind::Efbig => "the file would grow past what is allowed",
            ErrorKind::Emfile => "too many open files in the host",
            ErrorKind::LimitExceeded => "a limit set by the embedder is reached",
            ErrorKind::Enotsup => "not supported by the platform or the file system",
            ErrorKind::Eio => "the device failed",
            ErrorKind::Other => "unexpected failure",
        }
    }
}

// Counters are found by it.
const _: () = assert!(ErrorKind::Other as usize + 1 == ErrorKind::ALL.len());

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Why an operation on a mapping failed: a [kind](ErrorKind), which is all that a guest learns,
/// and for the host's log the `errno` and the reason, where there are any.
///
/// Two errors are equal if their kinds are: the rest says how it came about.
///
/// ```
/// use iommap::{ErrorKind, Grants, OpenOptions, Usage};
/// let (grants, usage) = (Grants::default(), Usage::new(Default::default()));
/// let error = grants.open(&usage, "/etc/passwd", &OpenOptions::new().read(true)).unwrap_err();
/// assert_eq!(error, ErrorKind::Eacces);
/// assert!(error.to_string().contains("nothing is granted"), "{error}");
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    errno: Option<Errno>,
    reason: Option<Box<str>>,
}

impl Error {
    /// An error with a reason in words, for the log.
    #[cold]
    pub(crate) fn because(kind: ErrorKind, reason: impl Into<Box<str>>) -> Error {
        Error { kind, errno: None, reason: Some(reason.into()) }
    }

    /// This error, with a reason in words, for the log.
    #[cold]
    pub(crate) fn with_reason(mut self, reason: impl Into<Box<str>>) -> Error {
        self.reason = Some(reason.into());
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The system's `errno`, if the failure was one of a system call.
    ///
    /// ```
    /// let error = iommap::Mapping::open("/no/such/file").unwrap_err();
    /// assert_eq!(error.kind(), iommap::ErrorKind::Enoent);
    /// assert_eq!(error.errno(), Some(2));
    /// ```
    pub fn errno(&self) -> Option<i32> {
        self.errno.map(Errno::raw_os_error)
    }

    /// Why, in words, where more is known than the kind says: which grants there are, or which
    /// limit was reached and by how much. It names what the embedder set up: it is for the host's
    /// log, not for a guest.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What a guest is told of an error without a kind of its own: the system's words.
    pub(crate) fn system_words(&self) -> Option<String> {
        self.errno.map(|errno| io::Error::from(errno).to_string())
    }
}

impl From<ErrorKind> for Error {
    #[inline]
    fn from(kind: ErrorKind) -> Error {
        Error { kind, errno: None, reason: None }
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

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind);
        if let Some(errno) = self.errno() {
            out.field("errno", &errno);
        }
        if let Some(reason) = &self.reason {
            out.field("reason", reason);
        }
        out.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.words())?;
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        match self.system_words() {
            Some(words) => write!(f, " ({words})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error { kind: kind_of(errno), errno: Some(errno), reason: None }
    }
}

/// Which kind an `errno` is.
fn kind_of(errno: Errno) -> ErrorKind {
    match errno {
        // A name too long is invalid whatever the file system holds.
        Errno::NAMETOOLONG => ErrorKind::Badarg,
        Errno::NOMEM | Errno::AGAIN => ErrorKind::Enomem,
        Errno::NOENT | Errno::NOTDIR => ErrorKind::Enoent,
        // openat2 answers XDEV for a path that leaves the grant and LOOP for a /proc magic
        // link (as for a loop of links); cap-std turns the first into PermissionDenied.
        Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY | Errno::XDEV | Errno::LOOP => {
            ErrorKind::Eacces
        }
        Errno::FAULT => ErrorKind::Sigbus,
        Errno::EXIST => ErrorKind::Eexist,
        // Opening a directory for writing, a socket, or a device that is not there.
        Errno::ISDIR | Errno::NXIO => ErrorKind::Enotreg,
        Errno::NOSPC | Errno::DQUOT => ErrorKind::Enospc,
        Errno::FBIG | Errno::OVERFLOW => ErrorKind::Efbig,
        Errno::MFILE | Errno::NFILE => ErrorKind::Emfile,
        Errno::NODEV | Errno::NOTSUP | Errno::NOSYS => ErrorKind::Enotsup,
        // The same number as ENOTSUP on some systems, so that it can't be a pattern.
        errno if errno == Errno::OPNOTSUPP => ErrorKind::Enotsup,
        Errno::IO => ErrorKind::Eio,
        _ => ErrorKind::Other,
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            // cap-std's own word for a path that leaves the grant.
            None if error.kind() == io::ErrorKind::PermissionDenied => {
                Error::because(ErrorKind::Eacces, error.to_string())
            }
            // memmap2's for a length that no address space holds.
            None if error.kind() == io::ErrorKind::InvalidInput => {
                Error::because(ErrorKind::Enomem, error.to_string())
            }
            None => Error::because(ErrorKind::Other, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_becomes_the_kind_that_the_interface_names() {
        let table = [
            (Errno::ACCESS, "eacces"),
            (Errno::LOOP, "eacces"),
            (Errno::NOTDIR, "enoent"),
            (Errno::NXIO, "enotreg"),
            (Errno::DQUOT, "enospc"),
            (Errno::NFILE, "emfile"),
            (Errno::NODEV, "enotsup"),
            (Errno::NAMETOOLONG, "badarg"),
            (Errno::IO, "eio"),
            (Errno::PIPE, "other"),
        ];
        for (errno, name) in table {
            let errors = [Error::from(errno), Error::from(io::Error::from(errno))];
            for error in errors {
                assert_eq!(error.kind().name(), name, "{errno:?}");
                assert_eq!(error.errno(), Some(errno.raw_os_error()));
            }
        }
    }

    #[test]
    fn an_error_reads_as_words_with_its_reason_and_the_systems_own() {
        let full = Error::from(Errno::DQUOT);
        assert!(full.to_string().starts_with("no space left on the device ("), "{full}");
        let limit = Error::because(ErrorKind::LimitExceeded, "call-bytes is 8, asked for 9");
        assert_eq!(
            limit.to_string(),
            "a limit set by the embedder is reached: call-bytes is 8, asked for 9"
        );
        let other = Error::from(Errno::PIPE);
        assert!(other.system_words().unwrap().contains("roken pipe"), "{other}");
    }

    #[test]
    fn errors_are_equal_by_their_kind() {
        assert_eq!(Error::from(Errno::DQUOT), Error::from(ErrorKind::Enospc));
        assert_eq!(Error::from(Errno::IO), ErrorKind::Eio);
        assert_ne!(Error::from(Errno::IO), Error::from(ErrorKind::Other));
    }
}
