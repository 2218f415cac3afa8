//! What has become of a file, as the host tells it: by its path and its metadata.

use super::{Handle, allowed, kinds, open_state, zeroed};
use crate::changes::FileState;
use crate::{Error, ErrorKind, OpenOptions, Range};
use core::mem::MaybeUninit;
use std::fs::{self, File, Metadata};
use std::string::String;
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// How long it is until the file is looked at again, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What is kept of how a file was opened.
pub(super) struct Followed {
    /// When it was last modified.
    modified_at: u64,
    /// By which path, and how it is opened again; `None` if it was open already.
    again: Option<(String, OpenOptions)>,
}

impl Followed {
    pub(super) fn new(file: &File, again: Option<(&str, &OpenOptions)>) -> Result<Followed, Error> {
        let modified_at = modified_at(&file.metadata().map_err(kinds::of)?);
        let again = again.map(|(path, options)| {
            let (create, create_new, truncate, size) = (false, false, false, None);
            (path.into(), OpenOptions { create, create_new, truncate, size, ..options.clone() })
        });
        Ok(Followed { modified_at, again })
    }
}

impl Handle {
    pub(crate) fn changed(&self) -> Result<FileState, Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        let stat = state.file.metadata().map_err(kinds::of)?;
        let (length, modified_at) = (stat.len(), modified_at(&stat));
        let there = self.followed.again.as_ref().map(|(path, _)| fs::metadata(path));
        Ok(FileState {
            length,
            modified_at,
            shorter: length < state.len,
            longer: length > state.len,
            modified: modified_at != self.followed.modified_at,
            replaced: matches!(&there, Some(Ok(there)) if !is_same(there, &stat)),
            gone: matches!(there, Some(Err(_))),
        })
    }

    pub(crate) fn file_len(&self) -> Result<u64, Error> {
        let mut state = self.lock_state();
        Ok(open_state(&mut state)?.file.metadata().map_err(kinds::of)?.len())
    }

    /// Fills some of `buf`, and tells how much.
    pub(crate) fn read_up_to(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<usize, Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.reads)?;
        let left = usize::try_from(state.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let there = left.min(buf.len());
        if there > 0 {
            state.read(offset, zeroed(&mut buf[..there]))?;
        }
        Ok(there)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_strict(
        &self,
        offset: u64,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let range = Range { offset, length: buf.len() as u64 };
        self.read_many(&[range], buf)?;
        if !buf.is_empty() && self.file_len()? < offset.saturating_add(range.length) {
            return Err(ErrorKind::Sigbus.into());
        }
        Ok(())
    }

    pub(crate) fn remap(&self) -> Result<Handle, Error> {
        open_state(&mut self.lock_state())?;
        let (path, options) = self.followed.again.as_ref().ok_or(ErrorKind::Enotsup)?;
        Handle::open(path, options)
    }

    pub(crate) fn wait_for_change(
        &self,
        known: &FileState,
        wait: Option<Duration>,
    ) -> Result<Option<FileState>, Error> {
        let end = wait.and_then(|wait| Instant::now().checked_add(wait));
        let mut pause = PAUSES.0;
        loop {
            let state = self.changed()?;
            if state != *known {
                return Ok(Some(state));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// In nanoseconds since 1970, as far as 64 bits go; 0 where the system does not tell.
fn modified_at(stat: &Metadata) -> u64 {
    let time = stat.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Nothing stable tells files apart there.
#[cfg(not(unix))]
fn is_same(one: &Metadata, _: &Metadata) -> bool {
    one.is_file()
}
