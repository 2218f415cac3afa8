//! Between this crate's types and the generated ones.

use super::bindings::iommap::mmap::types;
use crate::{Advice, Error, ErrorCode, OpenOptions, SyncMode};
use alloc::string::String;

pub(super) fn mode(options: &OpenOptions) -> Result<types::AccessMode, Error> {
    match (options.read, options.write) {
        (true, false) => Ok(types::AccessMode::Read),
        (false, true) => Ok(types::AccessMode::Write),
        (true, true) => Ok(types::AccessMode::ReadWrite),
        (false, false) => Err(ErrorCode::Badarg.into()),
    }
}

pub(super) fn flags(options: &OpenOptions) -> types::OpenFlags {
    use types::OpenFlags;
    let sharing = if options.private { OpenFlags::PRIVATE } else { OpenFlags::SHARED };
    [
        (options.create || options.create_new, OpenFlags::CREATE),
        (options.create_new, OpenFlags::EXCLUSIVE),
        (options.truncate, OpenFlags::TRUNCATE),
        (options.lock, OpenFlags::LOCK),
        (options.populate, OpenFlags::POPULATE),
        (options.nocache, OpenFlags::NOCACHE),
    ]
    .into_iter()
    .filter(|(wanted, _)| *wanted)
    .fold(sharing, |flags, (_, flag)| flags | flag)
}

pub(super) fn sync_mode(mode: SyncMode) -> types::SyncMode {
    match mode {
        SyncMode::Sync => types::SyncMode::Sync,
        SyncMode::Async => types::SyncMode::Async,
    }
}

pub(super) fn advice(advice: Advice) -> types::Advice {
    match advice {
        Advice::Normal => types::Advice::Normal,
        Advice::Random => types::Advice::Random,
        Advice::Sequential => types::Advice::Sequential,
        Advice::WillNeed => types::Advice::Willneed,
        Advice::DontNeed => types::Advice::Dontneed,
    }
}

/// The number of `other`, the last one.
pub(super) const OTHER: u8 = 15;

/// An error code by its number, as the cases are counted in `iommap.wit`.
pub(super) fn code(number: u8, words: Option<String>) -> ErrorCode {
    match number {
        0 => ErrorCode::Badarg,
        1 => ErrorCode::Enomem,
        2 => ErrorCode::Enoent,
        3 => ErrorCode::Eacces,
        4 => ErrorCode::Closed,
        5 => ErrorCode::OutOfBounds,
        6 => ErrorCode::Sigbus,
        7 => ErrorCode::Eexist,
        8 => ErrorCode::Enotreg,
        9 => ErrorCode::Enospc,
        10 => ErrorCode::Efbig,
        11 => ErrorCode::Emfile,
        12 => ErrorCode::LimitExceeded,
        13 => ErrorCode::Enotsup,
        14 => ErrorCode::Eio,
        _ => ErrorCode::Other(words),
    }
}

impl From<types::ErrorCode> for Error {
    fn from(code: types::ErrorCode) -> Error {
        let code = match code {
            types::ErrorCode::Badarg => ErrorCode::Badarg,
            types::ErrorCode::Enomem => ErrorCode::Enomem,
            types::ErrorCode::Enoent => ErrorCode::Enoent,
            types::ErrorCode::Eacces => ErrorCode::Eacces,
            types::ErrorCode::Closed => ErrorCode::Closed,
            types::ErrorCode::OutOfBounds => ErrorCode::OutOfBounds,
            types::ErrorCode::Sigbus => ErrorCode::Sigbus,
            types::ErrorCode::Eexist => ErrorCode::Eexist,
            types::ErrorCode::Enotreg => ErrorCode::Enotreg,
            types::ErrorCode::Enospc => ErrorCode::Enospc,
            types::ErrorCode::Efbig => ErrorCode::Efbig,
            types::ErrorCode::Emfile => ErrorCode::Emfile,
            types::ErrorCode::LimitExceeded => ErrorCode::LimitExceeded,
            types::ErrorCode::Enotsup => ErrorCode::Enotsup,
            types::ErrorCode::Eio => ErrorCode::Eio,
            types::ErrorCode::Other(words) => ErrorCode::Other(words),
        };
        code.into()
    }
}
