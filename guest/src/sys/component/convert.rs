//! Between this crate's types and the generated ones.

use super::bindings::{
    List,
    types::{self, ErrorCode, open_flags},
};
use crate::sys::loan::Offer;
use crate::{Advice, Error, ErrorKind, OpenOptions, SyncMode};
use alloc::string::String;

pub(super) fn mode(options: &OpenOptions) -> Result<types::AccessMode, Error> {
    match (options.read, options.write) {
        (true, false) => Ok(types::AccessMode::Read),
        (false, true) => Ok(types::AccessMode::Write),
        (true, true) => Ok(types::AccessMode::ReadWrite),
        (false, false) => Err(ErrorKind::Badarg.into()),
    }
}

pub(super) fn flags(options: &OpenOptions) -> u8 {
    let sharing = if options.private { open_flags::PRIVATE } else { open_flags::SHARED };
    sharing
        | wanted([
            (options.create || options.create_new, open_flags::CREATE),
            (options.create_new, open_flags::EXCLUSIVE),
            (options.truncate, open_flags::TRUNCATE),
            (options.lock, open_flags::LOCK),
            (options.populate, open_flags::POPULATE),
            (options.nocache, open_flags::NOCACHE),
        ])
}

/// Those flags that are.
pub(super) fn wanted<const N: usize>(flags: [(bool, u8); N]) -> u8 {
    flags.into_iter().filter(|(wanted, _)| *wanted).fold(0, |all, (_, flag)| all | flag)
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

/// The error of a code, while a buffer may be lent.
///
/// # Safety
///
/// The code is what an imported function has returned, while the offer stood.
pub(super) unsafe fn error(code: ErrorCode, offer: &Offer<'_>) -> Error {
    match code {
        ErrorCode::Badarg => ErrorKind::Badarg,
        ErrorCode::Enomem => ErrorKind::Enomem,
        ErrorCode::Enoent => ErrorKind::Enoent,
        ErrorCode::Eacces => ErrorKind::Eacces,
        ErrorCode::Closed => ErrorKind::Closed,
        ErrorCode::OutOfBounds => ErrorKind::OutOfBounds,
        ErrorCode::Sigbus => ErrorKind::Sigbus,
        ErrorCode::Eexist => ErrorKind::Eexist,
        ErrorCode::Enotreg => ErrorKind::Enotreg,
        ErrorCode::Enospc => ErrorKind::Enospc,
        ErrorCode::Efbig => ErrorKind::Efbig,
        ErrorCode::Emfile => ErrorKind::Emfile,
        ErrorCode::LimitExceeded => ErrorKind::LimitExceeded,
        ErrorCode::Enotsup => ErrorKind::Enotsup,
        ErrorCode::Eio => ErrorKind::Eio,
        ErrorCode::Other(words) => {
            let words = Option::from(words).map(|words: List| {
                // SAFETY: the function has put them into the buffer, or memory from `realloc`.
                let words = unsafe { offer.take(words.start, words.length) };
                String::from_utf8_lossy(&words).into()
            });
            return Error::other(words);
        }
    }
    .into()
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Error {
        // SAFETY: codes come from imported functions only, and where there is an offer this isn't called.
        unsafe { error(code, &Offer::none(&mut [])) }
    }
}
