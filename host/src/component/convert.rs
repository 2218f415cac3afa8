//! From the interface's types to the domain's and back. No logic of its own.

use super::bindings::types::{self, ErrorCode, OpenFlags};
use crate::error::{Error, ErrorKind};
use crate::mapping::{AccessMode, Advice, OpenOptions, SyncMode};

/// The options of an `open` as the guest gave them.
pub(super) fn open_options(
    mode: types::AccessMode,
    flags: OpenFlags,
    size: Option<u64>,
) -> OpenOptions {
    let access = match mode {
        types::AccessMode::Read => AccessMode::Read,
        types::AccessMode::Write => AccessMode::Write,
        types::AccessMode::ReadWrite => AccessMode::ReadWrite,
    };
    let options = OpenOptions::new()
        .access(access)
        .shared(flags.contains(OpenFlags::SHARED))
        .private(flags.contains(OpenFlags::PRIVATE))
        .lock(flags.contains(OpenFlags::LOCK))
        .populate(flags.contains(OpenFlags::POPULATE))
        .nocache(flags.contains(OpenFlags::NOCACHE))
        .create(flags.contains(OpenFlags::CREATE))
        .truncate(flags.contains(OpenFlags::TRUNCATE))
        .exclusive(flags.contains(OpenFlags::EXCLUSIVE));
    match size {
        Some(bytes) => options.size(bytes),
        None => options,
    }
}

impl From<types::SyncMode> for SyncMode {
    fn from(mode: types::SyncMode) -> SyncMode {
        match mode {
            types::SyncMode::Sync => SyncMode::Sync,
            types::SyncMode::Async => SyncMode::Async,
        }
    }
}

impl From<types::Advice> for Advice {
    fn from(hint: types::Advice) -> Advice {
        match hint {
            types::Advice::Normal => Advice::Normal,
            types::Advice::Random => Advice::Random,
            types::Advice::Sequential => Advice::Sequential,
            types::Advice::Willneed => Advice::WillNeed,
            types::Advice::Dontneed => Advice::DontNeed,
        }
    }
}

impl From<&Error> for ErrorCode {
    fn from(error: &Error) -> ErrorCode {
        match error.kind() {
            ErrorKind::Badarg => ErrorCode::Badarg,
            ErrorKind::Enomem => ErrorCode::Enomem,
            ErrorKind::Enoent => ErrorCode::Enoent,
            ErrorKind::Eacces => ErrorCode::Eacces,
            ErrorKind::Closed => ErrorCode::Closed,
            ErrorKind::OutOfBounds => ErrorCode::OutOfBounds,
            ErrorKind::Sigbus => ErrorCode::Sigbus,
            ErrorKind::Eexist => ErrorCode::Eexist,
            ErrorKind::Enotreg => ErrorCode::Enotreg,
            ErrorKind::Enospc => ErrorCode::Enospc,
            ErrorKind::Efbig => ErrorCode::Efbig,
            ErrorKind::Emfile => ErrorCode::Emfile,
            ErrorKind::LimitExceeded => ErrorCode::LimitExceeded,
            ErrorKind::Enotsup => ErrorCode::Enotsup,
            ErrorKind::Eio => ErrorCode::Eio,
            ErrorKind::Other => ErrorCode::Other(error.system_words()),
        }
    }
}
