//! Which failure of a file is which of the interface's cases.

use crate::{Error, ErrorKind};
use std::io;
use std::string::ToString;

pub(super) fn of(error: io::Error) -> Error {
    use io::ErrorKind as Std;
    match error.kind() {
        Std::NotFound | Std::NotADirectory => ErrorKind::Enoent,
        Std::PermissionDenied | Std::ReadOnlyFilesystem => ErrorKind::Eacces,
        Std::AlreadyExists => ErrorKind::Eexist,
        Std::IsADirectory => ErrorKind::Enotreg,
        Std::InvalidInput | Std::InvalidFilename => ErrorKind::Badarg,
        Std::OutOfMemory => ErrorKind::Enomem,
        Std::StorageFull | Std::QuotaExceeded => ErrorKind::Enospc,
        Std::FileTooLarge => ErrorKind::Efbig,
        Std::Unsupported => ErrorKind::Enotsup,
        _ => return by_number(&error),
    }
    .into()
}

/// For what std has no kind: the numbers are the same on every unix that the host runs on.
#[cfg(unix)]
fn by_number(error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(5) => ErrorKind::Eio.into(),
        Some(23 | 24) => ErrorKind::Emfile.into(),
        _ => Error::other(Some(error.to_string().into())),
    }
}

#[cfg(not(unix))]
fn by_number(error: &io::Error) -> Error {
    Error::other(Some(error.to_string().into()))
}
