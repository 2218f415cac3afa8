//! The interface's cases.

/// The cases of the interface's `error-code`, by the names that they have there.
///
/// When several apply, the first of these is reported: closed, `eacces`, out of bounds, a limit,
/// and then the operation's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
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
    /// A limit that the host set for this guest is reached.
    LimitExceeded,
    /// The platform or the file system does not support it.
    Enotsup,
    /// The device failed.
    Eio,
    /// Anything else: [`Error::message`](crate::Error::message) has the host's words.
    Other,
}

impl ErrorKind {
    /// The name that the case has in `iommap.wit`, such as `out-of-bounds`.
    ///
    /// ```
    /// assert_eq!(iommap_guest::ErrorKind::OutOfBounds.name(), "out-of-bounds");
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

    /// What it means, in a few words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            ErrorKind::Badarg => "invalid argument: options that contradict each other, or no path",
            ErrorKind::Enomem => "no memory or address space left, or the pages cannot be locked",
            ErrorKind::Enoent => "no such file",
            ErrorKind::Eacces => "not permitted by the access mode, the grant or the file",
            ErrorKind::Closed => "the mapping is closed",
            ErrorKind::OutOfBounds => "the range ends beyond the mapping",
            ErrorKind::Sigbus => "the file no longer backs a page of the range: it was cut short",
            ErrorKind::Eexist => "the file exists already",
            ErrorKind::Enotreg => "not a regular file",
            ErrorKind::Enospc => "no space left on the device",
            ErrorKind::Efbig => "the file would grow past what the file system allows",
            ErrorKind::Emfile => "too many open files in the host",
            ErrorKind::LimitExceeded => "a limit that the host set for this guest is reached",
            ErrorKind::Enotsup => "not supported by the platform or the file system",
            ErrorKind::Eio => "the device failed",
            ErrorKind::Other => "the host failed and did not say why",
        }
    }
}
