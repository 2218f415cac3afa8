//! A mapping as an ordinary file, so that a guest's code can be tested where it is written.
//!
//! It reads and writes the file itself where a mapping would touch a page, and answers as the host
//! does: the checks and their order are the interface's, a file that was cut is
//! [`ErrorKind::Sigbus`] by whole pages. What it has not: a grant and limits (paths are what they
//! are, and a long read is one), and pages, so that hints, `lock`, `populate` and `nocache` do
//! nothing. And what is written between the end of a file that was cut and that of its page is
//! lost at once, where a page may keep it for a while.

#[cfg(feature = "atomics")]
mod atomics;
#[cfg(feature = "changes")]
mod changes;
mod kinds;
#[cfg(feature = "locks")]
mod lock;
mod open;
mod positioned;
mod private;
#[cfg(feature = "storage")]
mod storage;
#[cfg(feature = "windows")]
mod window;

use crate::{Advice, Error, ErrorKind, OpenOptions, Range, SyncMode};
use core::mem::MaybeUninit;
use private::Private;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(feature = "windows")]
pub(crate) use window::Window;

/// How many bytes are lost or kept together when a file is cut.
const PAGE: u64 = 4096;

/// A file that stands for a mapping.
pub(crate) struct Handle {
    reads: bool,
    writes: bool,
    /// `None` once closed. Held for as long as a call takes.
    state: Mutex<Option<State>>,
    #[cfg(feature = "changes")]
    followed: changes::Followed,
}

struct State {
    file: File,
    /// What the mapping covers, whatever became of the file.
    len: u64,
    /// Where the file was found, unless it was open already.
    #[cfg(feature = "storage")]
    path: Option<std::path::PathBuf>,
    /// Present for a private mapping: what was written to it.
    private: Option<Private>,
}

impl Handle {
    pub(crate) fn open(path: &str, options: &OpenOptions) -> Result<Handle, Error> {
        let (file, len) = open::open(path, options)?;
        #[cfg(feature = "changes")]
        let followed = changes::Followed::new(&file, Some((path, options)))?;
        let private = options.private.then(Private::default);
        let state = Mutex::new(Some(State {
            file,
            len,
            #[cfg(feature = "storage")]
            path: storage::place(path),
            private,
        }));
        Ok(Handle {
            reads: options.read,
            writes: options.write,
            state,
            #[cfg(feature = "changes")]
            followed,
        })
    }

    /// Maps the file at `path`, if it is the one that is open as `file`.
    #[cfg(all(feature = "wasi", unix))]
    pub(crate) fn map_again(
        file: &File,
        path: &str,
        options: &OpenOptions,
    ) -> Result<Option<Handle>, Error> {
        use std::os::unix::fs::MetadataExt;
        let number =
            |file: &File| file.metadata().map(|file| (file.dev(), file.ino())).map_err(kinds::of);
        let handle = Handle::open(path, options)?;
        let again = open_state(&mut handle.lock_state()).and_then(|state| number(&state.file))?;
        Ok((again == number(file)?).then_some(handle))
    }

    /// Maps a file that is open.
    #[cfg(all(feature = "wasi", unix))]
    pub(crate) fn map_open(
        file: std::os::fd::BorrowedFd<'_>,
        options: &OpenOptions,
    ) -> Result<Handle, Error> {
        let file = File::from(file.try_clone_to_owned().map_err(kinds::of)?);
        let len = open::map(&file, options)?;
        #[cfg(feature = "changes")]
        let followed = changes::Followed::new(&file, None)?;
        let private = options.private.then(Private::default);
        let state = Mutex::new(Some(State {
            file,
            len,
            #[cfg(feature = "storage")]
            path: None,
            private,
        }));
        Ok(Handle {
            reads: options.read,
            writes: options.write,
            state,
            #[cfg(feature = "changes")]
            followed,
        })
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        self.lock_state().take().map(drop).ok_or_else(|| ErrorKind::Closed.into())
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read(&self, offset: u64, buf: &mut [MaybeUninit<u8>]) -> Result<(), Error> {
        let range = Range { offset, length: buf.len() as u64 };
        self.read_many(&[range], buf)
    }

    /// Fills all of `buf`, or fails.
    pub(crate) fn read_many(
        &self,
        ranges: &[Range],
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.reads)?;
        ranges.iter().try_for_each(|&range| state.check(range))?;
        let mut rest = zeroed(buf);
        for range in ranges {
            let (piece, after) =
                rest.split_at_mut_checked(range.length as usize).ok_or(ErrorKind::Badarg)?;
            state.read(range.offset, piece)?;
            rest = after;
        }
        if rest.is_empty() { Ok(()) } else { Err(ErrorKind::Badarg.into()) }
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let range = Range { offset, length: data.len() as u64 };
        self.write_many(&[range], data)
    }

    pub(crate) fn write_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.writes)?;
        let sum = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
        if sum != Some(data.len() as u64) {
            return Err(ErrorKind::Badarg.into());
        }
        ranges.iter().try_for_each(|&range| state.check(range))?;
        let mut rest = data;
        for range in ranges {
            let (piece, after) = rest.split_at(range.length as usize);
            state.write(range.offset, piece)?;
            rest = after;
        }
        Ok(())
    }

    pub(crate) fn sync(&self, mode: SyncMode) -> Result<(), Error> {
        open_state(&mut self.lock_state())?.sync(self.writes, mode)
    }

    pub(crate) fn sync_range(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        state.check(Range { offset, length })?;
        state.sync(self.writes, mode)
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<(), Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        allowed(self.writes && state.private.is_none())?;
        open::set_len(&state.file, len)?;
        state.len = len;
        Ok(())
    }

    pub(crate) fn advise(&self, offset: u64, length: u64, _: Advice) -> Result<(), Error> {
        open_state(&mut self.lock_state())?.check(Range { offset, length })
    }

    pub(crate) fn position(&self) -> Result<u64, Error> {
        open_state(&mut self.lock_state()).map(|state| state.len)
    }

    // A call that panicked, if there is one, left nothing half done but bytes.
    fn lock_state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_state(state: &mut Option<State>) -> Result<&mut State, Error> {
    state.as_mut().ok_or_else(|| ErrorKind::Closed.into())
}

fn allowed(allowed: bool) -> Result<(), Error> {
    if allowed { Ok(()) } else { Err(ErrorKind::Eacces.into()) }
}

fn zeroed(buf: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    buf.fill(MaybeUninit::new(0));
    // SAFETY: every byte was just written.
    unsafe { buf.assume_init_mut() }
}

impl State {
    fn check(&self, range: Range) -> Result<(), Error> {
        match range.offset.checked_add(range.length) {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(ErrorKind::OutOfBounds.into()),
        }
    }

    /// Fails if the file no longer backs a page of the range, and tells how long it is.
    fn backed(&self, offset: u64, length: usize) -> Result<u64, Error> {
        let len = self.file.metadata().map_err(kinds::of)?.len();
        let end = offset + length as u64;
        if length == 0 || end <= len.next_multiple_of(PAGE) {
            Ok(len)
        } else {
            Err(ErrorKind::Sigbus.into())
        }
    }

    /// Fills `target`, which holds zeros.
    fn read(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        let len = self.backed(offset, target.len())?;
        // Behind the file's end, the rest of its last page is zeros.
        let there = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let there = there.min(target.len());
        positioned::read_up_to(&self.file, offset, &mut target[..there]).map_err(kinds::of)?;
        if let Some(private) = &self.private {
            private.read(offset, target);
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let len = self.backed(offset, data.len())?;
        if let Some(private) = &mut self.private {
            private.write(offset, data);
            return Ok(());
        }
        // What is written behind the file's end is lost, as it is with a page.
        let there = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let there = there.min(data.len());
        positioned::write_all(&self.file, offset, &data[..there]).map_err(kinds::of)
    }

    fn sync(&self, writes: bool, mode: SyncMode) -> Result<(), Error> {
        if writes && self.private.is_none() && mode == SyncMode::Sync {
            return self.file.sync_data().map_err(kinds::of);
        }
        Ok(())
    }
}
