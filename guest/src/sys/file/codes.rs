//! Which failure of a file is which of the interface's cases.

use crate::{Error, ErrorCode};
use std::io;
use std::string::ToString;

pub(super) fn of(error: io::Error) -> Error {
    use io::ErrorKind;
    let code = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ErrorCode::Enoent,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::Eacces,
        ErrorKind::AlreadyExists => ErrorCode::Eexist,
        ErrorKind::IsADirectory => ErrorCode::Enotreg,
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => ErrorCode::Badarg,
        ErrorKind::OutOfMemory => ErrorCode::Enomem,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::Enospc,
        ErrorKind::FileTooLarge => ErrorCode::Efbig,
        ErrorKind::Unsupported => ErrorCode::Enotsup,
        _ => by_number(&error),
    };
    code.into()
}

/// For what std has no kind: the numbers are the same on every unix that the host runs on.
#[cfg(unix)]
fn by_number(error: &io::Error) -> ErrorCode {
    match error.raw_os_error() {
        Some(5) => ErrorCode::Eio,
        Some(23 | 24) => ErrorCode::Emfile,
        _ => ErrorCode::Other(Some(error.to_string())),
    }
}

#[cfg(not(unix))]
fn by_number(error: &io::Error) -> ErrorCode {
    ErrorCode::Other(Some(error.to_string()))
}
