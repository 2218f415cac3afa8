//! The Rust guest: what users get who write what one writes.

use crate::embedding::{Embedding, FILE_NAME, GUEST_DIR, State};
use crate::offsets::{Params, Work};
use std::path::Path;
use wasmtime::component::{Component, TypedFunc};
use wasmtime::{Result, Store};

/// The guest in a store of its own.
pub(crate) struct RustGuest {
    store: Store<State>,
    pread: TypedFunc<Params, (u64,)>,
    read_at: TypedFunc<Params, (u64,)>,
    pread_and_copy: TypedFunc<Params, (u64,)>,
    pread_many: TypedFunc<Params, (u64,)>,
    pwrite: TypedFunc<Params, (u64,)>,
    peek: TypedFunc<(), (Vec<u8>,)>,
    poke: TypedFunc<(Vec<u8>,), ()>,
}

/// One of its loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RustLoop {
    Pread,
    ReadAt,
    PreadAndCopy,
    PreadMany,
    Pwrite,
}

impl RustGuest {
    pub(crate) fn new(
        embedding: &Embedding,
        component: &Component,
        dir: &Path,
    ) -> Result<RustGuest> {
        let mut store = embedding.store(dir, true)?;
        let instance = embedding.linker.instantiate(&mut store, component)?;
        let open = instance.get_typed_func::<(String,), ()>(&mut store, "open")?;
        open.call(&mut store, (format!("{GUEST_DIR}/{FILE_NAME}"),))?;
        let pread = instance.get_typed_func(&mut store, "pread")?;
        let read_at = instance.get_typed_func(&mut store, "read-at")?;
        let pread_and_copy = instance.get_typed_func(&mut store, "pread-and-copy")?;
        let pread_many = instance.get_typed_func(&mut store, "pread-many")?;
        let pwrite = instance.get_typed_func(&mut store, "pwrite")?;
        let peek = instance.get_typed_func(&mut store, "peek")?;
        let poke = instance.get_typed_func(&mut store, "poke")?;
        Ok(RustGuest { store, pread, read_at, pread_and_copy, pread_many, pwrite, peek, poke })
    }

    /// Runs a loop and returns the state of its generator.
    pub(crate) fn run(&mut self, which: RustLoop, work: Work) -> Result<u64> {
        let function = match which {
            RustLoop::Pread => self.pread,
            RustLoop::ReadAt => self.read_at,
            RustLoop::PreadAndCopy => self.pread_and_copy,
            RustLoop::PreadMany => self.pread_many,
            RustLoop::Pwrite => self.pwrite,
        };
        Ok(function.call(&mut self.store, work.params())?.0)
    }

    /// What the last operation read.
    pub(crate) fn peek(&mut self) -> Result<Vec<u8>> {
        Ok(self.peek.call(&mut self.store, ())?.0)
    }

    /// What the next operations write.
    pub(crate) fn poke(&mut self, data: &[u8]) -> Result<()> {
        self.poke.call(&mut self.store, (data.to_vec(),))
    }
}
