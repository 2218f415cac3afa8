//! The Rust guest's loops with windows.

use crate::embedding::{Embedding, GUEST_DIR, State};
use std::path::Path;
use wasmtime::component::{Component, ComponentType, Lower, TypedFunc};
use wasmtime::error::Context;
use wasmtime::{Result, Store};

/// Where databases have the country's code, for the guest and natively.
pub(super) const PATHS: [&[&str]; 3] =
    [&["country_code"], &["country", "iso_code"], &["registered_country", "iso_code"]];

const INTERFACE: &str = "iommap:bench/windows";

/// What is done: see `bench/guest/wit/guest.wit`.
#[derive(Clone, Copy, Debug, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Task {
    #[component(name = "load")]
    Load,
    #[component(name = "number")]
    Number,
    #[component(name = "pread")]
    Pread,
    #[component(name = "copy")]
    Copy,
    #[component(name = "pread-copy")]
    PreadCopy,
    #[component(name = "pass")]
    Pass,
    #[component(name = "pread-pass")]
    PreadPass,
    #[component(name = "once")]
    Once,
    #[component(name = "pread-once")]
    PreadOnce,
    #[component(name = "slide")]
    Slide,
    #[component(name = "pread-slide")]
    PreadSlide,
    #[component(name = "lookup")]
    Lookup,
    #[component(name = "pread-lookup")]
    PreadLookup,
}

/// The guest in a store of its own.
pub(super) struct Guest {
    store: Store<State>,
    open: TypedFunc<(String, u64), ()>,
    open_database: TypedFunc<(String,), ()>,
    crowd: TypedFunc<(u32,), ()>,
    run: TypedFunc<(Task, u32, u32, u64, u64), (u64,)>,
    touch: TypedFunc<(u64,), (u64,)>,
    renew: TypedFunc<(), ()>,
}

impl Guest {
    pub(super) fn new(embedding: &Embedding, component: &Component, dir: &Path) -> Result<Guest> {
        let mut store = embedding.store_with_windows(dir)?;
        let instance = embedding.linker.instantiate(&mut store, component)?;
        let interface = instance.get_export_index(&mut store, None, INTERFACE);
        let interface = interface.context("the guest has no loops with windows")?;
        let mut function = |name| {
            let index = instance.get_export_index(&mut store, Some(&interface), name);
            index.with_context(|| format!("the guest has no {name}"))
        };
        let [open, open_database, crowd, run, touch, renew] = [
            function("open")?,
            function("open-database")?,
            function("crowd")?,
            function("run")?,
            function("touch")?,
            function("renew")?,
        ];
        Ok(Guest {
            open: instance.get_typed_func(&mut store, open)?,
            open_database: instance.get_typed_func(&mut store, open_database)?,
            crowd: instance.get_typed_func(&mut store, crowd)?,
            run: instance.get_typed_func(&mut store, run)?,
            touch: instance.get_typed_func(&mut store, touch)?,
            renew: instance.get_typed_func(&mut store, renew)?,
            store,
        })
    }

    /// Maps a file of the directory, with a window on so many bytes of it.
    pub(super) fn open(&mut self, name: &str, window: u64) -> Result<()> {
        self.open.call(&mut self.store, (format!("{GUEST_DIR}/{name}"), window))
    }

    pub(super) fn open_database(&mut self, name: &str) -> Result<()> {
        self.open_database.call(&mut self.store, (format!("{GUEST_DIR}/{name}"),))
    }

    pub(super) fn crowd(&mut self, windows: u32) -> Result<()> {
        self.crowd.call(&mut self.store, (windows,))
    }

    pub(super) fn run(
        &mut self,
        task: Task,
        count: u32,
        size: u32,
        mask: u64,
        seed: u64,
    ) -> Result<u64> {
        Ok(self.run.call(&mut self.store, (task, count, size, mask, seed))?.0)
    }

    pub(super) fn touch(&mut self, offset: u64) -> Result<u64> {
        Ok(self.touch.call(&mut self.store, (offset,))?.0)
    }

    pub(super) fn renew(&mut self) -> Result<()> {
        self.renew.call(&mut self.store, ())
    }
}
