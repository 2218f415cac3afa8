//! Why an operation failed, and which `errno` becomes which reason.
//!
//! [`Error`] has a variant for each case of `error-code` in `wit/iommap.wit`, so that the
//! conversion in `host.rs` loses nothing. Whatever the world can cause is an [`Error`]; a bad
//! handle or a bug of the host is a trap and never comes through here.

use rustix::io::Errno;
use std::cell::Cell;
use std::fmt;
use std::io;

/// Why an operation on a mapping failed: the cases of the interface's `error-code`.
///
/// ```
/// use iommap::{AccessMode, Account, Error, Grants, Mapping, OpenOptions};
/// let (grants, account) = (Grants::default(), Account::new(Default::default()));
/// let options = OpenOptions::new(AccessMode::Read);
/// let error = Mapping::open(&grants, &account, "/etc/passwd", &options).unwrap_err();
/// assert_eq!(error, Error::Acces, "nothing is granted: {error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument is invalid on its own: contradictory options, a NUL in a path.
    BadArg,
    /// The host could not reserve memory or address space, or lock pages (`ENOMEM`, `EAGAIN`).
    NoMem,
    /// No such file, or a directory on its path is missing (`ENOENT`, `ENOTDIR`).
    NoEnt,
    /// The access mode, the grant or the file's permissions forbid it, or the path leads
    /// outside the granted directories (`EACCES`, `EPERM`, `EROFS`, `EXDEV`, `ELOOP`).
    Acces,
    /// The mapping has been closed.
    Closed,
    /// The range does not lie wholly inside the mapping.
    OutOfBounds,
    /// The file no longer backs a page of the range (`SIGBUS`, recovered by the guard).
    SigBus,
    /// The file exists and was asked to be new (`EEXIST`).
    Exist,
    /// Not a regular file: a directory, pipe, socket or device.
    NotReg,
    /// No space left on the device, or a disk quota is exhausted (`ENOSPC`, `EDQUOT`).
    NoSpc,
    /// The file would grow past what the file system allows (`EFBIG`).
    FBig,
    /// Too many open files in the host (`EMFILE`, `ENFILE`).
    MFile,
    /// A limit that the embedder set for this store is reached.
    LimitExceeded,
    /// The platform or the file system does not support it (`ENOTSUP`, `ENODEV`).
    NotSup,
    /// The device failed (`EIO`).
    Io,
    /// Anything else, in the host's words.
    Other(Option<String>),
}

impl Error {
    /// The case's name in `wit/iommap.wit`, such as `out-of-bounds`.
    ///
    /// ```
    /// assert_eq!(iommap::Error::OutOfBounds.code(), "out-of-bounds");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadArg => "badarg",
            Error::NoMem => "enomem",
            Error::NoEnt => "enoent",
            Error::Acces => "eacces",
            Error::Closed => "closed",
            Error::OutOfBounds => "out-of-bounds",
            Error::SigBus => "sigbus",
            Error::Exist => "eexist",
            Error::NotReg => "enotreg",
            Error::NoSpc => "enospc",
            Error::FBig => "efbig",
            Error::MFile => "emfile",
            Error::LimitExceeded => "limit-exceeded",
            Error::NotSup => "enotsup",
            Error::Io => "eio",
            Error::Other(_) => "other",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::BadArg => "invalid argument",
            Error::NoMem => "no memory or address space left, or the pages cannot be locked",
            Error::NoEnt => "no such file, or a directory on its path is missing",
            Error::Acces => "not permitted by the access mode, the grant or the file",
            Error::Closed => "the mapping is closed",
            Error::OutOfBounds => "the range does not lie inside the mapping",
            Error::SigBus => "the file no longer backs a page of the range",
            Error::Exist => "the file exists already",
            Error::NotReg => "not a regular file",
            Error::NoSpc => "no space left on the device",
            Error::FBig => "the file would grow past what the file system allows",
            Error::MFile => "too many open files in the host",
            Error::LimitExceeded => "a limit set by the embedder is reached",
            Error::NotSup => "not supported by the platform or the file system",
            Error::Io => "the device failed",
            Error::Other(Some(words)) => words,
            Error::Other(None) => "unexpected failure",
        })
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// The last `errno` that became an [`Error`] on this thread: what the host's log tells an
    /// operator, and no guest learns.
    static CAUSE: Cell<Option<Errno>> = const { Cell::new(None) };
}

/// Does one operation, and returns with what came of it the `errno` that an error came from, if
/// it came from one.
#[cfg(feature = "component")]
pub(crate) fn with_cause<R>(
    operation: impl FnOnce() -> Result<R, Error>,
) -> (Result<R, Error>, Option<Errno>) {
    CAUSE.take();
    let result = operation();
    let cause = CAUSE.take();
    // What was met on the way, and got over, is no cause; what was met while a failure was undone
    // is another's.
    let cause = cause.filter(|errno| result.as_ref().is_err_and(|error| *error == reason(*errno)));
    (result, cause)
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        CAUSE.set(Some(errno));
        reason(errno)
    }
}

/// Which reason an `errno` is.
fn reason(errno: Errno) -> Error {
    match errno {
        // A name too long is invalid whatever the file system holds.
        Errno::NAMETOOLONG => Error::BadArg,
        Errno::NOMEM | Errno::AGAIN => Error::NoMem,
        Errno::NOENT | Errno::NOTDIR => Error::NoEnt,
        // openat2 answers XDEV for a path that leaves the grant and LOOP for a /proc magic
        // link (as for a loop of links); cap-std turns the first into PermissionDenied.
        Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY | Errno::XDEV | Errno::LOOP => {
            Error::Acces
        }
        Errno::FAULT => Error::SigBus,
        Errno::EXIST => Error::Exist,
        // Opening a directory for writing, a socket, or a device that is not there.
        Errno::ISDIR | Errno::NXIO => Error::NotReg,
        Errno::NOSPC | Errno::DQUOT => Error::NoSpc,
        Errno::FBIG | Errno::OVERFLOW => Error::FBig,
        Errno::MFILE | Errno::NFILE => Error::MFile,
        Errno::NODEV | Errno::NOTSUP | Errno::NOSYS => Error::NotSup,
        // The same number as ENOTSUP on some systems, so that it can't be a pattern.
        errno if errno == Errno::OPNOTSUPP => Error::NotSup,
        Errno::IO => Error::Io,
        other => Error::Other(Some(io::Error::from(other).to_string())),
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            // cap-std's own word for a path that leaves the grant.
            None if error.kind() == io::ErrorKind::PermissionDenied => Error::Acces,
            // memmap2's for a length that no address space holds.
            None if error.kind() == io::ErrorKind::InvalidInput => Error::NoMem,
            None => Error::Other(Some(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_an_errno_when_converted_then_it_is_the_reason_the_interface_names() {
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
        for (errno, code) in table {
            assert_eq!(Error::from(errno).code(), code, "{errno:?}");
            assert_eq!(Error::from(io::Error::from(errno)).code(), code, "io: {errno:?}");
        }
    }

    #[cfg(feature = "component")]
    #[test]
    fn given_an_operation_that_fails_when_done_then_only_its_own_errno_is_its_cause() {
        let fail = |errno: Errno| with_cause(|| Err::<(), _>(Error::from(errno)));
        assert_eq!(fail(Errno::DQUOT), (Err(Error::NoSpc), Some(Errno::DQUOT)));
        let got_over = with_cause(|| {
            drop(Error::from(Errno::NOENT));
            Ok(1)
        });
        assert_eq!(got_over, (Ok(1), None));
        let another = with_cause(|| {
            drop(Error::from(Errno::NOENT));
            Err::<(), _>(Error::LimitExceeded)
        });
        assert_eq!(another, (Err(Error::LimitExceeded), None));
        drop(Error::from(Errno::IO));
        assert_eq!(with_cause(|| Err::<(), _>(Error::Io)), (Err(Error::Io), None), "an older one");
    }

    #[test]
    fn given_an_errno_without_a_case_when_shown_then_the_hosts_words_are_kept() {
        let error = Error::from(Errno::PIPE);
        assert!(error.to_string().contains("roken pipe"), "{error}");
    }
}
