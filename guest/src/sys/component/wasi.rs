//! A file that is open through WASI, mapped.

use super::bindings::{files, open_files};
use super::{Handle, convert, reply};
use crate::{Error, ErrorKind, OpenOptions};
use alloc::string::ToString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode as WasiError, OpenFlags, PathFlags,
};

impl Handle {
    pub(crate) fn map(file: &Descriptor, options: &OpenOptions) -> Result<Handle, Error> {
        let (mode, flags) = (convert::mode(options)?, convert::flags(options));
        let (has_size, size) = (options.size.is_some(), options.size.unwrap_or_default());
        let call = |reply: &mut _| {
            files::map_descriptor(file.handle(), mode, flags, has_size, size, reply);
        };
        Ok(Handle(reply::of(call)?))
    }

    /// Maps a file that the C library has open.
    pub(crate) fn map_open(file: BorrowedFd<'_>, options: &OpenOptions) -> Result<Handle, Error> {
        let (mode, flags) = (convert::mode(options)?, convert::flags(options));
        let (has_size, size) = (options.size.is_some(), options.size.unwrap_or_default());
        let hash = number(file)?;
        let call = |reply: &mut _| open_files::map_open(hash, mode, flags, has_size, size, reply);
        Ok(Handle(reply::of(call)?))
    }

    /// Maps the file at `path`, if it is the one that `std` has open.
    pub(crate) fn map_again(
        file: &File,
        path: &str,
        options: &OpenOptions,
    ) -> Result<Option<Handle>, Error> {
        // A private mapping changes the file by growing it only, and may not be allowed to.
        let again = match options.write && (!options.private || options.size.is_some()) {
            true if options.private => open(path, true).or_else(|_| open(path, false))?,
            writes => open(path, writes)?,
        };
        if again.metadata_hash()?.lower != number(file.as_fd())? {
            return Ok(None);
        }
        Handle::map(&again, options).map(Some)
    }
}

/// Opens a file in the directory whose name is its path's longest prefix.
fn open(path: &str, writes: bool) -> Result<Descriptor, Error> {
    let directories = get_directories();
    let found = directories.iter().filter_map(|(directory, name)| {
        let (depth, rest) = strip(path, name)?;
        Some((depth, directory, rest))
    });
    // Of equals it takes the last, as the host does.
    let (_, directory, rest) = found.max_by_key(|(depth, ..)| *depth).ok_or(ErrorKind::Eacces)?;
    let mut flags = DescriptorFlags::READ;
    flags.set(DescriptorFlags::WRITE, writes);
    Ok(directory.open_at(PathFlags::SYMLINK_FOLLOW, rest, OpenFlags::empty(), flags)?)
}

/// The name's number of parts, and what follows it in the path, if the path starts with it.
fn strip<'p>(path: &'p str, name: &str) -> Option<(usize, &'p str)> {
    let mut rest = skip(path);
    let mut depth = 0;
    let mut name = skip(name);
    while !name.is_empty() {
        let (part, more) = split(name);
        let (own, after) = split(rest);
        if part != own {
            return None;
        }
        (name, rest, depth) = (more, after, depth + 1);
    }
    Some((depth, if rest.is_empty() { "." } else { rest }))
}

/// A path without the slashes and dots in front.
fn skip(path: &str) -> &str {
    let mut rest = path;
    loop {
        rest = rest.trim_start_matches('/');
        match rest.strip_prefix('.') {
            Some("") => return "",
            Some(after) if after.starts_with('/') => rest = after,
            _ => return rest,
        }
    }
}

/// A path's first part, and the rest.
fn split(path: &str) -> (&str, &str) {
    let (part, rest) = path.split_once('/').unwrap_or((path, ""));
    (part, skip(rest))
}

/// What tells a file that the C library has open from others: WASI has no numbers of inodes, and libc
/// shows half of WASI's hash of a file in their place.
fn number(file: BorrowedFd<'_>) -> Result<u64, Error> {
    // SAFETY: all zeros is a `stat`, which is made of numbers.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the descriptor is open for as long as `file` is, and `stat` is ours.
    if unsafe { libc::fstat(file.as_raw_fd(), &raw mut stat) } != 0 {
        let words = std::io::Error::last_os_error().to_string();
        return Err(Error::other(Some(words.into())));
    }
    Ok(stat.st_ino)
}

impl From<WasiError> for Error {
    fn from(error: WasiError) -> Error {
        match error {
            WasiError::Access | WasiError::NotPermitted | WasiError::ReadOnly | WasiError::Loop => {
                ErrorKind::Eacces
            }
            WasiError::NoEntry | WasiError::NotDirectory => ErrorKind::Enoent,
            WasiError::IsDirectory | WasiError::NoDevice => ErrorKind::Enotreg,
            WasiError::Invalid | WasiError::NameTooLong | WasiError::IllegalByteSequence => {
                ErrorKind::Badarg
            }
            WasiError::InsufficientMemory => ErrorKind::Enomem,
            WasiError::InsufficientSpace | WasiError::Quota => ErrorKind::Enospc,
            WasiError::FileTooLarge => ErrorKind::Efbig,
            WasiError::Unsupported => ErrorKind::Enotsup,
            WasiError::Io => ErrorKind::Eio,
            other => return Error::other(Some(other.message().into())),
        }
        .into()
    }
}
