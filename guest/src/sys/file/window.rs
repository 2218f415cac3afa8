//! A window where there is no host: pages of the file, mapped over the region, watched by the guard
//! that the host has as well. It answers as the host does to an embedder's word that files may
//! change; it has no limits. Where no guard is written there are no windows.

use super::{Handle, State, open_state};
use crate::window::{Region, WindowOptions};
use crate::{Error, ErrorKind, Range};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod pages;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod without;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use without as pages;

use pages::Pages;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A window. Dropping it ends it.
pub(crate) struct Window {
    /// `None` once closed.
    state: Mutex<Option<Shown>>,
}

struct Shown {
    pages: Pages,
    /// In bytes, as it was asked for.
    length: u64,
}

impl Window {
    pub(crate) fn open(
        source: &Handle,
        offset: u64,
        length: u64,
        place: &Region,
        options: WindowOptions,
        frozen: bool,
    ) -> Result<Window, Error> {
        let range = Range { offset, length };
        let pages = source.shown(range, options, frozen, |state| {
            Pages::map(&state.file, range, place, options)
        })?;
        Ok(Window { state: Mutex::new(Some(Shown { pages, length })) })
    }

    pub(crate) fn move_to(
        &self,
        source: &Handle,
        offset: u64,
        length: u64,
        options: WindowOptions,
        frozen: bool,
    ) -> Result<(), Error> {
        let mut shown = self.lock();
        let shown = shown.as_mut().ok_or(ErrorKind::Closed)?;
        let range = Range { offset, length };
        source.shown(range, options, frozen, |state| {
            shown.pages.move_to(&state.file, range, options)
        })?;
        shown.length = length;
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let shown = self.lock();
        let shown = shown.as_ref().ok_or(ErrorKind::Closed)?;
        if shown.pages.lost() { Err(ErrorKind::Sigbus.into()) } else { Ok(()) }
    }

    pub(crate) fn prefetch(&self, offset: u64, length: u64) -> Result<(), Error> {
        let shown = self.lock();
        let shown = shown.as_ref().ok_or(ErrorKind::Closed)?;
        match offset.checked_add(length) {
            Some(end) if end <= shown.length => {
                shown.pages.prefetch(offset as usize, length as usize);
                Ok(())
            }
            _ => Err(ErrorKind::OutOfBounds.into()),
        }
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        let mut shown = self.lock();
        shown.as_mut().ok_or(ErrorKind::Closed)?.pages.clear()?;
        *shown = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Shows a range by `show`, after the checks in the interface's order.
    fn shown<T>(
        &self,
        range: Range,
        options: WindowOptions,
        frozen: bool,
        show: impl FnOnce(&State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.lock_state();
        let state = open_state(&mut state)?;
        let private = state.private.is_some();
        if !self.reads || (options.shared && (private || !self.writes)) {
            return Err(ErrorKind::Eacces.into());
        }
        state.check(range)?;
        if range.length == 0 || (options.shared && frozen) {
            return Err(ErrorKind::Badarg.into());
        }
        if (private && self.writes) || (frozen && !pages::frozen(&state.file)) {
            return Err(ErrorKind::Enotsup.into());
        }
        show(state)
    }
}
