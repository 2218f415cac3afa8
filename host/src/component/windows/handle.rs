//! A guest's window, and what touches the guest's memory for it.
//!
//! Nothing is touched but in a call, and where the store itself says that the memory is: a window is
//! found by its handle, its set has to be this store's, and the memory where it was when the window
//! was opened.

use super::set::{Window, WindowSet, home};
use super::watch::{Refused, Watch};
use crate::component::abi::{GuestMemory, GuestRegion};
use crate::error::{Error, ErrorKind};
use crate::mapping::{Range, Shown, clear, populate};
use crate::usage::Reservation;
use std::fmt;
use std::sync::Arc;
use wasmtime::StoreContextMut;

/// What a store's table holds for a guest's `window`. The window itself is the store's.
pub struct WindowHandle {
    pub(super) window: WindowRef,
    /// What the log calls the mapping that it came from.
    pub(super) name: Box<str>,
    /// A handle takes memory until it is dropped, also when its window was closed.
    _handle: Reservation,
}

impl fmt::Debug for WindowHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WindowRef { number, start, .. } = self.window;
        write!(f, "WindowHandle(number {number} at {start:#x}, of {:?})", self.name)
    }
}

/// Which window it is.
#[derive(Clone)]
pub(super) struct WindowRef {
    set: Arc<WindowSet>,
    number: u64,
    memory: GuestMemory,
    /// The address of its region.
    start: usize,
}

/// What a new window takes of its store's limits.
pub(super) struct Taken {
    pub(super) handle: Reservation,
    pub(super) window: Reservation,
    pub(super) bytes: Reservation,
}

impl WindowHandle {
    /// Puts pages of a file into a region that was checked for them.
    pub(super) fn open<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        set: Arc<WindowSet>,
        name: Box<str>,
        region: &GuestRegion,
        shown: Shown,
        taken: Taken,
    ) -> Result<WindowHandle, Error> {
        let range = region.range(shown.span())?;
        let memory = region.memory();
        let owner = set.owner();
        let mut windows = set.lock();
        let Some(place) = memory.bytes(store).and_then(|bytes| bytes.get_mut(range)) else {
            return Err(Error::because(ErrorKind::Enotsup, "the memory is not where it was"));
        };
        let (at, length) = (place.as_mut_ptr(), place.len());
        let (start, end) = (at.addr(), at.addr() + length);
        // SAFETY: the range lies in a memory of this store, which is here, and stays mapped for
        // as long as the store does (`supported`). The watch is dropped before the memory is
        // unmapped, or right after (`Keeper`). The guest has given the region away.
        let watch = unsafe { Watch::new(start..end, owner) };
        let mut watch = watch.map_err(not_watched)?;
        // SAFETY: as above. The guest is in a call of its own, and of the host nobody has a
        // reference to its memory: the store is lent to this call, and `place` was used last above.
        unsafe { shown.put(at) }?;
        // SAFETY: likewise, and nobody has touched it since.
        unsafe { watch.renew() };
        let Taken { handle, window, bytes } = taken;
        let number = windows.add(start, length, shown, watch, [window, bytes]);
        drop(windows);
        let window = WindowRef { set, number, memory, start };
        Ok(WindowHandle { window, name, _handle: handle })
    }
}

impl WindowRef {
    /// What is known of the window, of the store at this [`home`].
    pub(super) fn look<R>(
        &self,
        home: usize,
        look: impl FnOnce(&mut Window) -> R,
    ) -> Result<R, Error> {
        if !self.set.lives_in(home) {
            return Err(closed());
        }
        let mut windows = self.set.lock();
        windows.get(self.start, self.number).map(look).ok_or_else(closed)
    }

    /// Works on the window, whose region is at the address that `work` is given.
    fn work<T: 'static, R>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        work: impl FnOnce(&mut Window, *mut u8) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if !self.set.lives_in(home(store)) {
            return Err(closed());
        }
        let mut windows = self.set.lock();
        let window = windows.get(self.start, self.number).ok_or_else(closed)?;
        // The store's own word for where its memory is, and how long.
        let bytes = self.memory.bytes(store).ok_or_else(closed)?;
        let from = self.start - bytes.as_ptr().addr();
        let region = bytes.get_mut(from..from + window.region).ok_or_else(closed)?;
        work(window, region.as_mut_ptr())
    }

    /// Takes the pages out.
    pub(super) fn close<T: 'static>(
        &self,
        store: &mut StoreContextMut<'_, T>,
    ) -> Result<(), Error> {
        // SAFETY: pages of a window in a memory that is there, in a call that takes them back, as
        // for `open`.
        self.work(store, |window, at| unsafe { clear(at, window.span) })?;
        let closed = self.set.lock().remove(self.start, self.number);
        // The lock is free again before anything is returned.
        drop(closed);
        Ok(())
    }

    /// Puts other pages in their place. `more` is what they take beyond what the window has.
    pub(super) fn move_to<T: 'static>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        shown: Shown,
        more: Reservation,
    ) -> Result<(), Error> {
        self.work(store, |window, at| {
            let (before, span) = (window.span, shown.span());
            // All of it or nothing.
            // SAFETY: inside the region (`plan`), and else as for `open`.
            unsafe { shown.put(at) }?;
            window.lost();
            // SAFETY: mapped just now, and nobody has touched it since.
            unsafe { window.watch.renew() };
            window.counted = 0;
            window.bytes.join(more);
            window.shown = shown;
            window.span = span;
            // SAFETY: pages of the window, and else as for `open`.
            if before > span && unsafe { clear(at.add(span), before - span) }.is_err() {
                // It takes no range of addresses more, so only somebody who took all at this instant
                // prevents it. There is no way back; until the window moves again, what it showed there
                // stays, and counts.
                window.watch.forget();
                window.span = before;
            }
            window.bytes.shrink_to(window.span as u64);
            Ok(())
        })
    }

    /// Has the pages of a range come in, so that loads from them are no faults; or asks for them,
    /// without waiting for a device.
    pub(super) fn populate<T: 'static>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        range: Range,
        waits: bool,
    ) -> Result<(), Error> {
        self.work(store, |window, at| {
            let Range { offset, length } = within(window, range)?;
            let page = rustix::param::page_size();
            let from = offset as usize / page * page;
            let end = (offset + length) as usize;
            // SAFETY: inside the window.
            unsafe { populate(at.add(from), end.next_multiple_of(page) - from, waits) };
            Ok(())
        })
    }
}

/// A range of a window's bytes, if it is one.
pub(super) fn within(window: &Window, range: Range) -> Result<Range, Error> {
    let end = range.offset.checked_add(range.length);
    match end.is_some_and(|end| end <= window.shown.whole().length) {
        true => Ok(range),
        false => Err(ErrorKind::OutOfBounds.into()),
    }
}

#[cold]
fn closed() -> Error {
    Error::because(ErrorKind::Closed, "the window is closed")
}

#[cold]
fn not_watched(refused: Refused) -> Error {
    match refused {
        Refused::Overlaps => Error::because(ErrorKind::Badarg, "another window is there"),
        Refused::TooMany => {
            let reason =
                "the process has as many windows as it may (an eighth of vm.max_map_count)";
            Error::because(ErrorKind::LimitExceeded, reason)
        }
        _ => Error::because(ErrorKind::Enotsup, "the memory begins where no window can be"),
    }
}
