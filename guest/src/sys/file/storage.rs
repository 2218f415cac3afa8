//! A file's storage, as the host has it: where the system can.

use super::{Handle, allowed, kinds, open_state};
use crate::storage::Space;
use crate::{Error, ErrorKind, Range, SyncMode};
use std::fs::File;
use std::path::{Path, PathBuf};

impl Handle {
    pub(crate) fn change_space(&self, space: Space, range: Range) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.writes && state.private.is_none())?;
        state.check(range)?;
        if range.length == 0 { Ok(()) } else { change(&state.file, space, range) }
    }

    pub(crate) fn sync_entry(&self) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.writes && state.private.is_none())?;
        let path = state.path.as_deref().ok_or(ErrorKind::Enotsup)?;
        if !is_named(&state.file, path)? {
            return Err(ErrorKind::Enoent.into());
        }
        let parent = path.parent().ok_or(ErrorKind::Enoent)?;
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(kinds::of)
    }

    /// Or which of them fails first.
    pub(crate) fn sync_many(handles: &[&Handle]) -> Result<(), (usize, Error)> {
        for (index, handle) in handles.iter().enumerate() {
            open_state(&mut handle.lock_state()).map_err(|error| (index, error))?;
        }
        let mut first = Ok(());
        for (index, handle) in handles.iter().enumerate() {
            first = first.and(handle.sync(SyncMode::Sync).map_err(|error| (index, error)));
        }
        first
    }
}

/// Where a file is, whatever directory the program is in later.
pub(super) fn place(path: &str) -> Option<PathBuf> {
    std::path::absolute(path).ok()
}

/// Does a path name this very file, and not a link to it?
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> Result<bool, Error> {
    use std::os::unix::fs::MetadataExt;
    let there = std::fs::symlink_metadata(path).map_err(kinds::of)?;
    let ours = file.metadata().map_err(kinds::of)?;
    Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino()))
}

/// Nobody can tell, nor write a directory back.
#[cfg(not(unix))]
fn is_named(_: &File, _: &Path) -> Result<bool, Error> {
    Err(ErrorKind::Enotsup.into())
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn change(file: &File, space: Space, range: Range) -> Result<(), Error> {
    let done = match space {
        Space::Hole => fallocate(file, libc::FALLOC_FL_PUNCH_HOLE, range),
        Space::Zeros => match fallocate(file, libc::FALLOC_FL_ZERO_RANGE, range) {
            // A file system that has holes only. If it can't fill one it says so while the bytes stand.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                fallocate(file, 0, range)
                    .and_then(|()| fallocate(file, libc::FALLOC_FL_PUNCH_HOLE, range))
                    .and_then(|()| fallocate(file, 0, range))
            }
            done => done,
        },
        Space::Blocks => fallocate(file, 0, range),
    };
    done.map_err(kinds::of)
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn fallocate(file: &File, mode: i32, Range { offset, length }: Range) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let mode = mode | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: it takes an open descriptor and numbers, which were checked.
    let done = unsafe { libc::fallocate(file.as_raw_fd(), mode, offset as _, length as _) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn change(_: &File, _: Space, _: Range) -> Result<(), Error> {
    Err(ErrorKind::Enotsup.into())
}
