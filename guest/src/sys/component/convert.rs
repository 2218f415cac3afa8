//! Between this crate's types and the generated ones.

use super::bindings::iommap::mmap::{batch, types};
use crate::{Advice, Error, ErrorCode, OpenOptions, Range, SyncMode};
use alloc::vec::Vec;

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

pub(super) fn ranges(ranges: &[Range]) -> Vec<batch::Range> {
    ranges.iter().map(|&Range { offset, length }| batch::Range { offset, length }).collect()
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
