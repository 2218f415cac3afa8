//! The Rust guest: what users get who write what one writes.

use crate::embedding::{Embedding, FILE_NAME, GUEST_DIR};
use crate::guest::Guest;
use clap::ValueEnum;
use std::path::Path;
use wasmtime::Result;
use wasmtime::component::Component;

/// One of its loops, by the name of its export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RustLoop {
    Pread,
    ReadAt,
    PreadAndCopy,
    PreadMany,
    Pwrite,
}

/// The guest, with the file open.
pub(crate) fn guest(
    embedding: &Embedding,
    component: &Component,
    dir: &Path,
) -> Result<Guest<RustLoop>> {
    let mut store = embedding.store(dir, true)?;
    let instance = embedding.linker.instantiate(&mut store, component)?;
    let open = instance.get_typed_func::<(String,), ()>(&mut store, "open")?;
    open.call(&mut store, (format!("{GUEST_DIR}/{FILE_NAME}"),))?;
    Guest::new(store, &instance)
}
