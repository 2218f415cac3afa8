//! The boundary guest: hand-written wasm, to see what the boundary itself costs.

use crate::embedding::{Embedding, FILE_NAME, GUEST_DIR, State, Thing};
use crate::guest::Guest;
use crate::loops::{Loop, component};
use iommap::{FsPerms, Grants, MappingHandle, OpenOptions};
use std::path::Path;
use wasmtime::component::{Component, Resource};
use wasmtime::{Result, Store, format_err};
use wasmtime_wasi::filesystem::WasiFilesystemView;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    Descriptor, DescriptorFlags, HostDescriptor, OpenFlags, PathFlags,
};

/// The guest's code, compiled once.
pub(crate) struct Code(Component);

impl Code {
    pub(crate) fn new(embedding: &Embedding) -> Result<Code> {
        Ok(Code(Component::new(&embedding.engine, component()?)?))
    }

    /// The component itself.
    pub(crate) fn component(&self) -> &Component {
        &self.0
    }
}

/// A guest with what the host makes for it.
pub(crate) fn guest(
    embedding: &Embedding,
    code: &Code,
    dir: &Path,
    blocking: bool,
) -> Result<Guest<Loop>> {
    let mut store = embedding.store(dir, blocking)?;
    let instance = embedding.linker.instantiate(&mut store, &code.0)?;
    let mapping = map(&mut store, dir)?;
    let (file, directory) = open(store.data_mut())?;
    let thing = store.data_mut().table.push(Thing(0))?;
    type Attached =
        (Resource<Thing>, Resource<MappingHandle>, Resource<Descriptor>, Resource<Descriptor>);
    let attach = instance.get_typed_func::<Attached, ()>(&mut store, "attach")?;
    attach.call(&mut store, (thing, mapping, file, directory))?;
    Guest::new(store, &instance)
}

/// Maps the file for the guest, its pages read in.
fn map(store: &mut Store<State>, dir: &Path) -> Result<Resource<MappingHandle>> {
    let mut grants = Grants::default();
    grants.preopened_dir(dir, GUEST_DIR, FsPerms::ReadWrite)?;
    let options = OpenOptions::new().read(true).write(true).populate(true);
    let usage = store.data().iommap.usage().clone();
    let mapping = grants.open(&usage, &format!("{GUEST_DIR}/{FILE_NAME}"), &options)?;
    Ok(store.data_mut().table.push(MappingHandle::from(mapping))?)
}

/// Opens the file for the guest through WASI: the file, and its directory.
fn open(state: &mut State) -> Result<(Resource<Descriptor>, Resource<Descriptor>)> {
    let mut wasi = state.filesystem();
    let (directory, _) =
        wasi.get_directories()?.pop().ok_or_else(|| format_err!("WASI has no directory"))?;
    let file = HostDescriptor::open_at(
        &mut wasi,
        Resource::new_borrow(directory.rep()),
        PathFlags::empty(),
        FILE_NAME.into(),
        OpenFlags::empty(),
        DescriptorFlags::READ | DescriptorFlags::WRITE,
    )?;
    Ok((file, directory))
}
