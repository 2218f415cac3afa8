//! `iommap:wasi`: maps what the guest has open through wasmtime-wasi.
//!
//! wasmtime-wasi keeps a guest's descriptors in a [`ResourceTable`]; the file in one of them is
//! shared with the mapping, so that it lives on when the guest drops the descriptor. All that
//! WASI holds the guest to holds here too: the permissions of the directory that the file was
//! opened in, and the mode it was opened with.
//!
//! A descriptor is one Rust type for every version of WASI that wasmtime-wasi serves, and that is
//! how wasmtime tells resources apart: guests of any 0.2 and of 0.3 are served by the one function
//! defined here.

pub(super) mod open;

pub use open::{add_open_files_to_linker, add_open_files_to_linker_async};

use super::access::View;
use super::bindings::types::{AccessMode, OpenFlags};
use super::convert::open_options;
use super::handle::MappingHandle;
use super::linker::answer_opened;
use super::log::Call;
use super::offload::elsewhere;
use super::opener::Opener;
use super::{Answer, Getter, Handle, Import};
use crate::error::{Error, ErrorKind};
use crate::mapping::{FsPerms, OpenOptions, open_file};
use std::fs::File;
use std::result::Result as StdResult;
use std::sync::Arc;
use tracing::{Instrument, trace_span};
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::Descriptor;

/// The interface, as components import it.
const INTERFACE: &str = "iommap:wasi/files@0.1.0";

/// How wasmtime-wasi's table is found in a store's data. It may be the one in which mappings are.
pub type Descriptors<T> = fn(&mut T) -> &mut ResourceTable;

/// `map-descriptor`'s parameters as a guest passes them.
type Params = (Resource<Descriptor>, AccessMode, OpenFlags, Option<u64>);

/// Adds `iommap:wasi` to a linker, beside what [`add_to_linker`](crate::add_to_linker) and
/// wasmtime-wasi's `add_to_linker_sync` add: a guest can map a descriptor of `wasi:filesystem`.
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView, IommapView};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
/// # struct State { wasi: WasiCtx, iommap: IommapCtx, table: ResourceTable }
/// # impl WasiView for State {
/// #     fn ctx(&mut self) -> WasiCtxView<'_> {
/// #         WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
/// #     }
/// # }
/// # impl IommapView for State {
/// #     fn iommap(&mut self) -> IommapCtxView<'_> {
/// #         IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
/// #     }
/// # }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
/// iommap::add_to_linker(&mut linker, State::iommap)?;
/// iommap::wasi::add_to_linker(&mut linker, State::iommap, |state| &mut state.table)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    add(linker, &Import::new(get), descriptors)
}

/// The same, for whatever import.
pub(super) fn add<T: 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    let (get, find) = (import.access, import.find.clone());
    linker.instance(INTERFACE)?.func_wrap(
        "map-descriptor",
        move |mut store: StoreContextMut<'_, T>, params: Params| {
            let request = Request::new(descriptors(store.data_mut()), params)?;
            let _span = trace_span!("map-descriptor", request.name, ?request.options).entered();
            let opener = find(store.data_mut())?;
            let mapped = request.map(&opener);
            request.answer(get.view(store.data_mut()), &opener, mapped)
        },
    )
}

/// Adds `iommap:wasi` to a linker for async stores, as
/// [`add_to_linker_async`](crate::add_to_linker_async) does the rest: a call waits for the device
/// on a thread for blocking work.
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    add_async(linker, &Import::new(get), descriptors)
}

/// The same, for whatever import.
pub(super) fn add_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    descriptors: Descriptors<T>,
) -> Result<()> {
    let (get, find) = (import.access, import.find.clone());
    linker.instance(INTERFACE)?.func_wrap_async(
        "map-descriptor",
        move |mut store: StoreContextMut<'_, T>, params: Params| {
            let opener = find(store.data_mut());
            let call = async move {
                let opener = opener?;
                let request = Request::new(descriptors(store.data_mut()), params)?;
                let (request, opener, mapped) = elsewhere(opener.may_block, move || {
                    let mapped = request.map(&opener);
                    (request, opener, mapped)
                })
                .await?;
                request.answer(get.view(store.data_mut()), &opener, mapped)
            };
            Box::new(call.instrument(trace_span!("map-descriptor")))
        },
    )
}

/// What a guest wants mapped, and how.
struct Request {
    call: Call,
    /// What the log calls it: WASI keeps no path with a descriptor.
    name: String,
    /// Or why there is none that could be mapped.
    file: StdResult<Arc<File>, Error>,
    readable: bool,
    perms: FsPerms,
    options: OpenOptions,
}

impl Request {
    /// Looks the descriptor up. A handle that names none traps.
    fn new(table: &ResourceTable, (handle, mode, flags, size): Params) -> Result<Request> {
        let (file, perms, open_mode) = match table.get(&handle)? {
            Descriptor::File(file) => (Ok(file.file.clone()), file.perms, file.open_mode),
            Descriptor::Dir(dir) => (Err(ErrorKind::Enotreg.into()), dir.perms, dir.open_mode),
        };
        Ok(Request {
            call: Call::new("map-descriptor"),
            name: format!("descriptor {}", handle.rep()),
            file,
            readable: open_mode.contains(OpenMode::READ),
            perms: granted(perms, open_mode),
            options: open_options(mode, flags, size),
        })
    }

    fn map(&self, opener: &Opener) -> StdResult<MappingHandle, Error> {
        let Request { name, file, readable, perms, options, .. } = self;
        options.validate()?;
        let file = file.as_ref().map_err(Clone::clone)?;
        // `mmap` reads the pages, whatever the guest may do with them.
        if !readable {
            return Err(Error::because(ErrorKind::Eacces, "the descriptor is not for reading"));
        }
        MappingHandle::open(opener, |grants, usage| {
            open_file(file, name, *perms, usage, options, grants.has_common_regions())
        })
    }

    fn answer(
        &self,
        view: View<'_>,
        opener: &Opener,
        mapped: StdResult<MappingHandle, Error>,
    ) -> Result<Answer<Handle>> {
        answer_opened(self.call, view, &opener.usage, &self.name, &self.options, mapped)
    }
}

/// What a descriptor allows: both where the file lies and how it was opened have to.
fn granted(perms: wasmtime_wasi::FsPerms, open_mode: OpenMode) -> FsPerms {
    if open_mode.contains(OpenMode::WRITE) { perms.into() } else { FsPerms::ReadOnly }
}

impl From<FsPerms> for wasmtime_wasi::FsPerms {
    fn from(perms: FsPerms) -> wasmtime_wasi::FsPerms {
        match perms {
            FsPerms::ReadOnly => wasmtime_wasi::FsPerms::ReadOnly,
            FsPerms::ReadWrite => wasmtime_wasi::FsPerms::ReadWrite,
        }
    }
}

impl From<wasmtime_wasi::FsPerms> for FsPerms {
    fn from(perms: wasmtime_wasi::FsPerms) -> FsPerms {
        match perms {
            wasmtime_wasi::FsPerms::ReadOnly => FsPerms::ReadOnly,
            wasmtime_wasi::FsPerms::ReadWrite => FsPerms::ReadWrite,
        }
    }
}
