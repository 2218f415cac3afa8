//! The windows of one store, and what ends them with it.

use super::watch::Watch;
use crate::component::{Getter, IommapCtxView};
use crate::mapping::Shown;
use crate::usage::Reservation;
use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{AsContextMut, Func, StoreContextMut};

/// The windows of one store.
#[derive(Debug)]
pub(in crate::component) struct WindowSet {
    /// Where the store's data is. An embedder may move a context to another store that lives.
    home: usize,
    windows: Mutex<Windows>,
}

#[derive(Debug, Default)]
pub(super) struct Windows {
    /// The store is gone, and its memories with it.
    ended: bool,
    /// By where they start.
    open: BTreeMap<usize, Window>,
    /// Of the window that was opened last.
    number: u64,
}

/// A region of a guest's memory with a window in it.
#[derive(Debug)]
pub(super) struct Window {
    /// Tells it apart from others that were there before, or come after.
    number: u64,
    /// Of the region, in bytes.
    pub(super) region: usize,
    pub(super) shown: Shown,
    /// So much of the region is pages of a file.
    pub(super) span: usize,
    pub(super) watch: Watch,
    /// How many of its lost pages were counted already.
    pub(super) counted: u32,
    pub(super) bytes: Reservation,
    pub(super) _window: Reservation,
}

impl Window {
    /// How many pages were lost since the window was opened or moved. Counts those that are new.
    pub(super) fn lost(&mut self) -> u32 {
        // Also of a watch that was thrown out, as one is whose memory is gone and another's stands there.
        let counted = self.watch.counted().unwrap_or(self.counted);
        self.bytes.usage().count_window_faults(counted.saturating_sub(self.counted).into());
        self.counted = counted;
        self.watch.lost()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.lost();
    }
}

/// Ends a store's windows with the store: the store holds a function that holds this. wasmtime drops
/// it right after the store's memories, also where its data lives on.
struct Keeper(Arc<WindowSet>);

impl Drop for Keeper {
    fn drop(&mut self) {
        let mut windows = self.0.lock();
        windows.ended = true;
        let open = mem::take(&mut windows.open);
        // The lock is free again before anything is returned.
        drop(windows);
        drop(open);
    }
}

impl WindowSet {
    /// The store's set, made when it is first asked for.
    pub(super) fn of<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
    ) -> Arc<WindowSet> {
        if let Some(set) = WindowSet::find(store, get) {
            return set;
        }
        let home = home(store);
        let set = Arc::new(WindowSet { home, windows: Mutex::default() });
        let keeper = Keeper(set.clone());
        Func::wrap(store.as_context_mut(), move || {
            let _held = &keeper;
        });
        let IommapCtxView { ctx, .. } = get(store.data_mut());
        ctx.windows = Some(set.clone());
        set
    }

    /// The store's set, if it has one.
    pub(super) fn find<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        get: Getter<T>,
    ) -> Option<Arc<WindowSet>> {
        let home = home(store);
        let set = get(store.data_mut()).ctx.windows.clone()?;
        set.lives_in(home).then_some(set)
    }

    /// Are these the windows of that store, and is it there?
    pub(super) fn lives_in(&self, home: usize) -> bool {
        self.home == home && !self.lock().ended
    }

    /// Who has these windows, to the guard: the store, also where it has had another context before.
    /// No other store has its home while it or its keeper lives.
    pub(super) fn owner(&self) -> usize {
        self.home
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Windows> {
        // Each change of a set is one call of the map's.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a store's data is, which tells it from all other stores that live.
pub(super) fn home<T: 'static>(store: &StoreContextMut<'_, T>) -> usize {
    std::ptr::from_ref(store.data()).addr()
}

impl Windows {
    /// Is a part of this range a window already?
    pub(super) fn overlap(&self, range: &Range<usize>) -> bool {
        let before = self.open.range(..range.end).next_back();
        before.is_some_and(|(start, window)| start + window.region > range.start)
    }

    /// Adds a window at an address. Returns the number that it goes by.
    pub(super) fn add(
        &mut self,
        start: usize,
        region: usize,
        shown: Shown,
        watch: Watch,
        [window, bytes]: [Reservation; 2],
    ) -> u64 {
        self.number += 1;
        let (number, span) = (self.number, shown.span());
        let added =
            Window { number, region, span, shown, watch, counted: 0, bytes, _window: window };
        self.open.insert(start, added);
        number
    }

    /// The window at an address, if it is still this one.
    pub(super) fn get(&mut self, start: usize, number: u64) -> Option<&mut Window> {
        self.open.get_mut(&start).filter(|window| window.number == number)
    }

    /// Takes the window at an address out, likewise.
    pub(super) fn remove(&mut self, start: usize, number: u64) -> Option<Window> {
        self.get(start, number)?;
        self.open.remove(&start)
    }
}
