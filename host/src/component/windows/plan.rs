//! What a call that puts pages into a guest's memory is about to do: checked in the order of
//! `wit/windows.wit`, with all that it takes reserved, before anything waits or is touched.

use super::Unsupported;
use super::handle::{Taken, WindowHandle};
use super::set::{WindowSet, home};
use crate::component::abi::{GuestRegion, has_room};
use crate::component::bindings::windows::WindowFlags;
use crate::component::{Getter, Handle, IommapCtx, MappingHandle};
use crate::error::{Error, ErrorKind};
use crate::mapping::{Range, Shown};
use crate::usage::{Reservation, Resource};
use std::result::Result as StdResult;
use wasmtime::component::Resource as Own;
use wasmtime::{Result, StoreContextMut};

/// What a guest wants to see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) range: Range,
    pub(super) flags: WindowFlags,
}

impl Wanted {
    fn is_shared(self) -> bool {
        self.flags.contains(WindowFlags::SHARED)
    }

    /// The pages are to be read in, or asked for.
    fn is_populated(self) -> bool {
        self.flags.contains(WindowFlags::POPULATE)
    }

    fn is_frozen(self) -> bool {
        self.flags.contains(WindowFlags::FROZEN)
    }

    /// How many bytes the window will take of its region, if there may be one of this range.
    pub(super) fn span(self, mapping: &MappingHandle) -> StdResult<usize, Error> {
        let span = mapping.mapped.check_window(self.range, self.is_shared())?;
        if self.is_shared() && self.is_frozen() {
            return Err(Error::because(ErrorKind::Badarg, "shared with frozen"));
        }
        Ok(span)
    }

    /// What is to be put there, if it may be.
    fn shown(
        self,
        ctx: &IommapCtx,
        mapping: &MappingHandle,
        supported: StdResult<(), Unsupported>,
    ) -> StdResult<Shown, Error> {
        if let Err(unsupported) = supported {
            return Err(Error::because(ErrorKind::Enotsup, unsupported.to_string()));
        }
        if ctx.usage().limits().windows == 0 {
            return Err(Error::because(ErrorKind::LimitExceeded, "windows is 0"));
        }
        // The embedder's word is for what this context grants, and not for another's, which the guest
        // may have under another name.
        let own = mapping.is_of(ctx.usage());
        if self.is_shared() {
            let allowed = own && ctx.writable_windows;
            if !allowed {
                return Err(Error::because(ErrorKind::Eacces, "windows are not for writing"));
            }
            return mapping.mapped.show(self.range, true);
        }
        // Whether it may change only the file can say.
        let shown = mapping.mapped.show(self.range, false)?;
        let allowed = own && ctx.windows_on_changing_files && !self.is_frozen();
        if allowed || shown.is_frozen() {
            return Ok(shown);
        }
        // What the guest asks for can't be had of this file; or it could, and nobody has allowed it.
        let kind = if self.is_frozen() { ErrorKind::Enotsup } else { ErrorKind::Eacces };
        Err(Error::because(kind, "the file's bytes may change"))
    }
}

/// A new window.
pub(super) struct Opening {
    name: Box<str>,
    region: GuestRegion,
    shown: Shown,
    taken: Taken,
}

impl Opening {
    pub(super) fn plan<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        supported: StdResult<(), Unsupported>,
        source: &Handle,
        wanted: Wanted,
        region: GuestRegion,
    ) -> Result<StdResult<Opening, Error>> {
        let mapping = get(store.data_mut()).table.get(source)?;
        let name = mapping.mapped.name().into();
        let place = wanted.span(mapping).and_then(|span| region.range(span));
        let place = match place {
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let addresses = region.addresses(&place);
        let set = WindowSet::find(store, get);
        if set.is_some_and(|set| set.lock().overlap(&addresses)) {
            return Ok(Err(Error::because(ErrorKind::Badarg, "another window is there")));
        }
        let view = get(store.data_mut());
        let shown = match wanted.shown(view.ctx, view.table.get(source)?, supported) {
            Ok(shown) => shown,
            Err(error) => return Ok(Err(error)),
        };
        // Is this the memory that the guest means?
        if !region.has_token(store, &place) {
            let reason = "the token is not where the region ends: is a component in between?";
            return Ok(Err(Error::because(ErrorKind::Enotsup, reason)));
        }
        let usage = get(store.data_mut()).ctx.usage();
        let taken = (|| {
            Ok(Taken {
                handle: Reservation::new(usage, Resource::Handles, 1)?,
                window: Reservation::new(usage, Resource::Windows, 1)?,
                bytes: Reservation::new(usage, Resource::WindowBytes, shown.span() as u64)?,
            })
        })();
        Ok(taken.map(|taken| Opening { name, region, shown, taken }))
    }

    /// Does it. `waits` says whether to wait for a device.
    pub(super) fn run<T: 'static>(
        self,
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        wanted: Wanted,
        waits: bool,
    ) -> StdResult<WindowHandle, Error> {
        let Opening { name, region, shown, taken } = self;
        let whole = shown.whole();
        let set = WindowSet::of(store, get);
        let handle = WindowHandle::open(store, set, name, &region, shown, taken)?;
        get(store.data_mut()).ctx.usage().note_peaks();
        if wanted.is_populated() {
            handle.window.populate(store, whole, waits)?;
        }
        Ok(handle)
    }
}

/// A window that is to show something else.
pub(super) struct Moving {
    shown: Shown,
    /// What it takes beyond what the window has.
    more: Reservation,
}

impl Moving {
    pub(super) fn plan<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        supported: StdResult<(), Unsupported>,
        this: &Own<WindowHandle>,
        source: &Handle,
        wanted: Wanted,
    ) -> Result<StdResult<Moving, Error>> {
        let home = home(store);
        let view = get(store.data_mut());
        let (handle, mapping) = (view.table.get(this)?, view.table.get(source)?);
        let planned = handle.window.look(home, |window| {
            let span = wanted.span(mapping)?;
            has_room(window.region, span)?;
            let shown = wanted.shown(view.ctx, mapping, supported)?;
            let more = span.saturating_sub(window.span) as u64;
            let more = Reservation::new(window.bytes.usage(), Resource::WindowBytes, more)?;
            Ok(Moving { shown, more })
        });
        Ok(planned.and_then(|planned| planned))
    }

    /// Does it, likewise.
    pub(super) fn run<T: 'static>(
        self,
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
        this: &Own<WindowHandle>,
        wanted: Wanted,
        waits: bool,
    ) -> Result<StdResult<(), Error>> {
        let whole = self.shown.whole();
        let window = get(store.data_mut()).table.get(this)?.window.clone();
        let moved = window.move_to(store, self.shown, self.more);
        Ok(moved.and_then(|()| match wanted.is_populated() {
            true => window.populate(store, whole, waits),
            false => Ok(()),
        }))
    }
}
