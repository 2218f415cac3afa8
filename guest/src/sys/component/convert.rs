//! Between this crate's types and the generated ones.

use super::bindings::iommap::mmap::types;
use crate::{Advice, Error, ErrorKind, OpenOptions, SyncMode};

pub(super) fn mode(options: &OpenOptions) -> Result<types::AccessMode, Error> {
    match (options.read, options.write) {
        (true, false) => Ok(types::AccessMode::Read),
        (false, true) => Ok(types::AccessMode::Write),
        (true, true) => Ok(types::AccessMode::ReadWrite),
        (false, false) => Err(ErrorKind::Badarg.into()),
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

/// The kind of an error by its number, as the cases are counted in `iommap.wit`.
pub(super) fn kind(number: u8) -> ErrorKind {
    match number {
        0 => ErrorKind::Badarg,
        1 => ErrorKind::Enomem,
        2 => ErrorKind::Enoent,
        3 => ErrorKind::Eacces,
        4 => ErrorKind::Closed,
        5 => ErrorKind::OutOfBounds,
        6 => ErrorKind::Sigbus,
        7 => ErrorKind::Eexist,
        8 => ErrorKind::Enotreg,
        9 => ErrorKind::Enospc,
        10 => ErrorKind::Efbig,
        11 => ErrorKind::Emfile,
        12 => ErrorKind::LimitExceeded,
        13 => ErrorKind::Enotsup,
        14 => ErrorKind::Eio,
        _ => ErrorKind::Other,
    }
}

impl From<types::ErrorCode> for Error {
    fn from(code: types::ErrorCode) -> Error {
        match code {
            types::ErrorCode::Badarg => ErrorKind::Badarg,
            types::ErrorCode::Enomem => ErrorKind::Enomem,
            types::ErrorCode::Enoent => ErrorKind::Enoent,
            types::ErrorCode::Eacces => ErrorKind::Eacces,
            types::ErrorCode::Closed => ErrorKind::Closed,
            types::ErrorCode::OutOfBounds => ErrorKind::OutOfBounds,
            types::ErrorCode::Sigbus => ErrorKind::Sigbus,
            types::ErrorCode::Eexist => ErrorKind::Eexist,
            types::ErrorCode::Enotreg => ErrorKind::Enotreg,
            types::ErrorCode::Enospc => ErrorKind::Enospc,
            types::ErrorCode::Efbig => ErrorKind::Efbig,
            types::ErrorCode::Emfile => ErrorKind::Emfile,
            types::ErrorCode::LimitExceeded => ErrorKind::LimitExceeded,
            types::ErrorCode::Enotsup => ErrorKind::Enotsup,
            types::ErrorCode::Eio => ErrorKind::Eio,
            types::ErrorCode::Other(words) => return Error::other(words.map(Into::into)),
        }
        .into()
    }
}
