//! `add_to_linker`: every function of the interface, defined for both kinds of store.
//!
//! Calls that move bytes go through `abi`. Calls that may wait for a device are listed in
//! `waiting`, and wait on the guest's thread or, on async stores, on another (`offload`).

use super::abi::{ByteList, GuestPath, RangeList, ReadManyReply, ReadReply, write, write_many};
use super::access::{Access, View};
use super::bindings::types::{self, OpenFlags};
use super::convert::open_options;
use super::handle::MappingHandle;
use super::log::Call;
#[cfg(feature = "async")]
use super::offload::{self, Elsewhere, elsewhere};
use super::opener::Opener;
use super::waiting::{self, Here};
use super::{Answer, Getter, Handle, Import};
use crate::error::{Error, ErrorKind};
use crate::mapping::OpenOptions;
use crate::usage::Usage;
use std::fmt;
use std::result::Result as StdResult;
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::trace_span;
use wasmtime::component::{Linker, LinkerInstance, ResourceType};
use wasmtime::{Result, StoreContextMut};

const TYPES: &str = "iommap:mmap/types@0.1.0";
const BATCH: &str = "iommap:mmap/batch@0.1.0";
const OPEN: &str = "[static]mapping.open";

/// Adds `iommap:mmap` to a linker, for stores of either kind: calls block the thread that the
/// guest runs on while they wait for a device. For an async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// `get` finds the view in the store's data; for data that is an
/// [`IommapView`](crate::IommapView) it is `T::iommap`.
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { iommap: IommapCtx, table: ResourceTable }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// iommap::add_to_linker(&mut linker, |state| IommapCtxView {
///     ctx: &mut state.iommap,
///     table: &mut state.table,
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// The interfaces beside it are added in the same way, each by itself. What a guest may take by them
/// is 0 unless the context says otherwise:
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { iommap: IommapCtx, table: ResourceTable }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// # let mut linker = Linker::<State>::new(&engine);
/// fn view(state: &mut State) -> IommapCtxView<'_> {
///     IommapCtxView { ctx: &mut state.iommap, table: &mut state.table }
/// }
/// iommap::locks::add_to_linker(&mut linker, view)?;
/// iommap::storage::add_to_linker(&mut linker, view)?;
/// iommap::changes::add_to_linker(&mut linker, view)?;
/// iommap::atomics::add_to_linker(&mut linker, view)?;
///
/// let mut ctx = IommapCtx::builder();
/// ctx.max_locks(64).max_watches(1).max_waiters(1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: Getter<T>) -> Result<()> {
    add(linker, &Import::new(get))
}

/// What [`Import::add_to_linker`] does.
pub(super) fn add<T: 'static>(linker: &mut Linker<T>, import: &Import<T>) -> Result<()> {
    let Import { access: get, find, name, .. } = import;
    let (get, find) = (*get, find.clone());
    if name.is_none() {
        define_batch(&mut linker.instance(BATCH)?, get)?;
    }
    let mut types = define_resource(linker, name.as_deref(), get)?;
    types.func_wrap(OPEN, move |mut store: StoreContextMut<'_, T>, params: OpenParams| {
        let opener = find(store.data_mut())?;
        let opening = Opening::new(&store, params, opener)?;
        let _span = trace_span!("open", ?opening).entered();
        let opened = opening.open();
        opening.answer(get.view(store.data_mut()), opened)
    })?;
    waiting::define(&mut types, get, &Here)?;
    define_transfers(&mut types, get)
}

/// Adds `iommap:mmap` to a linker for async stores: calls that wait for a device (`open`,
/// `sync`, `sync-range`, `truncate`, `advise`, `close`) do so on a thread of tokio's for blocking
/// work, unless the store's context
/// [allows](crate::IommapCtxBuilder::allow_blocking_current_thread) otherwise.
/// Reads and writes stay on the executor's thread, where most take less time than the hand-over
/// would; see [`add_to_linker_async_with`] for large ones.
///
/// A guest's call must run within a tokio runtime; elsewhere it traps. A call whose future is
/// dropped does not begin any more; one that has begun ends, and its mapping is closed.
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { iommap: IommapCtx, table: ResourceTable }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// iommap::add_to_linker_async(&mut linker, |state| IommapCtxView {
///     ctx: &mut state.iommap,
///     table: &mut state.table,
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The linker has a definition of the interface already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
) -> Result<()> {
    add_to_linker_async_with(linker, AsyncOptions::default(), get)
}

/// How calls behave on an async store.
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView, AsyncOptions};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { iommap: IommapCtx, table: ResourceTable }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// let mut linker = Linker::<State>::new(&engine);
/// let mut options = AsyncOptions::default();
/// options.offload_above = Some(64 << 10);
/// iommap::add_to_linker_async_with(&mut linker, options, |state| IommapCtxView {
///     ctx: &mut state.iommap,
///     table: &mut state.table,
/// })?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "async")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AsyncOptions {
    /// Reads and writes of more bytes than this wait for their pages on another thread, so that
    /// a slow device never holds the executor's; a range of a batch call is as much work as 4,096
    /// bytes at least. What stays on the executor's thread is the copy in memory. `None`: they all wait
    /// where they are.
    pub offload_above: Option<u64>,
}

/// [`add_to_linker_async`] with options.
///
/// # Errors
///
/// The linker has a definition of the interface already.
#[cfg(feature = "async")]
pub fn add_to_linker_async_with<T: Send + 'static>(
    linker: &mut Linker<T>,
    options: AsyncOptions,
    get: Getter<T>,
) -> Result<()> {
    add_async(linker, &Import::new(get), options)
}

/// What [`Import::add_to_linker_async`] does.
#[cfg(feature = "async")]
pub(super) fn add_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    options: AsyncOptions,
) -> Result<()> {
    let Import { access: get, find, name, .. } = import;
    let (get, find) = (*get, find.clone());
    if name.is_none() {
        let mut batch = linker.instance(BATCH)?;
        match options.offload_above {
            None => define_batch(&mut batch, get)?,
            Some(bytes) => offload::define_batch(&mut batch, get, bytes)?,
        }
    }
    let mut types = define_resource(linker, name.as_deref(), get)?;
    types.func_wrap_async(OPEN, move |mut store: StoreContextMut<'_, T>, params: OpenParams| {
        let opener = find(store.data_mut());
        let call = async move {
            let opener = opener?;
            let may_block = opener.may_block;
            let opening = Opening::new(&store, params, opener)?;
            let (opening, opened) = elsewhere(may_block, move || {
                let opened = opening.open();
                (opening, opened)
            })
            .await?;
            opening.answer(get.view(store.data_mut()), opened)
        };
        Box::new(call.instrument(trace_span!("open")))
    })?;
    waiting::define(&mut types, get, &Elsewhere)?;
    match options.offload_above {
        None => define_transfers(&mut types, get),
        Some(bytes) => offload::define_transfers(&mut types, get, bytes),
    }
}

/// Defines the resource, and the function that never waits. Returns the interface `types`, open
/// for the others.
fn define_resource<'l, T: 'static>(
    linker: &'l mut Linker<T>,
    name: Option<&str>,
    get: Access<T>,
) -> Result<LinkerInstance<'l, T>> {
    let mut types = linker.instance(name.unwrap_or(TYPES))?;
    types.resource("mapping", ResourceType::host::<MappingHandle>(), move |mut store, rep| {
        let _span = trace_span!("drop", mapping = rep).entered();
        get.view(store.data_mut()).drop_handle(rep)
    })?;
    let position = "[method]mapping.position";
    types.func_wrap(position, move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
        let _span = trace_span!("position", mapping = this.rep()).entered();
        let call = Call::new(position);
        let view = get.view(store.data_mut());
        let mapped = view.mapped(&this)?;
        Ok(call.on(mapped, &(), mapped.len()))
    })?;
    Ok(types)
}

/// Defines `pread` and `pwrite` so that they wait for their pages where they are.
fn define_transfers<T: 'static>(types: &mut LinkerInstance<'_, T>, get: Access<T>) -> Result<()> {
    types.func_wrap(
        "[method]mapping.pread",
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let _span = trace_span!("pread", mapping = this.rep(), offset, length).entered();
            Ok((ReadReply::new(&mut store, get, &this, offset, length)?,))
        },
    )?;
    types.func_wrap(
        "[method]mapping.pwrite",
        move |mut store: StoreContextMut<'_, T>, (this, offset, data): (Handle, u64, ByteList)| {
            let _span =
                trace_span!("pwrite", mapping = this.rep(), offset, length = data.len()).entered();
            write(&mut store, get, &this, offset, &data)
        },
    )
}

/// Defines the batch calls likewise.
fn define_batch<T: 'static>(batch: &mut LinkerInstance<'_, T>, get: Access<T>) -> Result<()> {
    batch.func_wrap(
        "pread-many",
        move |mut store: StoreContextMut<'_, T>, (this, ranges): (Handle, RangeList)| {
            let _span = trace_span!("pread-many", mapping = this.rep(), n = ranges.len()).entered();
            Ok((ReadManyReply::new(&mut store, get, &this, ranges)?,))
        },
    )?;
    batch.func_wrap(
        "pwrite-many",
        move |mut store: StoreContextMut<'_, T>,
              (this, ranges, data): (Handle, RangeList, ByteList)| {
            let _span =
                trace_span!("pwrite-many", mapping = this.rep(), n = ranges.len()).entered();
            write_many(&mut store, get, &this, &ranges, &data)
        },
    )
}

/// `open`'s parameters as a guest passes them.
type OpenParams = (GuestPath, types::AccessMode, OpenFlags, Option<u64>);

/// An `open` under way: a guest's path, copied, its options, and what it is held to.
struct Opening {
    call: Call,
    /// Or how long it is, if it is too long to be one.
    path: StdResult<String, usize>,
    options: OpenOptions,
    opener: Opener,
}

impl Opening {
    fn new<T: 'static>(
        store: &StoreContextMut<'_, T>,
        (path, mode, flags, size): OpenParams,
        opener: Opener,
    ) -> Result<Opening> {
        let path = path.text(store)?.map(|path| path.into_owned());
        let options = open_options(mode, flags, size);
        Ok(Opening { call: Call::new("open"), path, options, opener })
    }

    fn open(&self) -> StdResult<MappingHandle, Error> {
        let path = self.path.as_ref().map_err(|length| {
            Error::because(ErrorKind::Badarg, format!("a path of {length} units is too long"))
        })?;
        MappingHandle::open(&self.opener, |grants, usage| grants.map(usage, path, &self.options))
    }

    fn answer(
        self,
        view: View<'_>,
        opened: StdResult<MappingHandle, Error>,
    ) -> Result<Answer<Handle>> {
        let path = self.path.as_deref().unwrap_or("");
        answer_opened(self.call, view, &self.opener.usage, path, &self.options, opened)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.path, self.options)
    }
}

/// Gives the guest the handle to a mapping that was opened, or says why there is none.
pub(super) fn answer_opened(
    call: Call,
    mut view: View<'_>,
    usage: &Usage,
    path: &str,
    options: &OpenOptions,
    opened: StdResult<MappingHandle, Error>,
) -> Result<Answer<Handle>> {
    match opened {
        Ok(handle) => {
            call.done(usage.name(), path, options);
            Ok((Ok(view.push(handle)?),))
        }
        Err(error) => Ok((Err(call.refused_opening(usage, path, options, &error)),)),
    }
}
