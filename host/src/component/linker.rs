//! `add_to_linker`: every function of the interface, defined for both kinds of store.
//!
//! Calls that move bytes go through `abi.rs`. Calls that may wait for a device are defined twice:
//! here, where they wait on the guest's thread, and in `offload.rs`, where an async store lets
//! them wait on another.

use crate::abi::{ByteList, GuestPath, RangeList, ReadManyReply, ReadReply, write, write_many};
use crate::bindings::types::{self, ErrorCode, OpenFlags};
use crate::ctx::{IommapCtxView, MappingHandle};
use crate::diagnostics::Call;
use crate::error::{Error, with_cause};
use crate::host::open_options;
use crate::mapping::options::OpenOptions;
use crate::mapping::{Mapping, Range};
#[cfg(feature = "async")]
use crate::offload;
use rustix::io::Errno;
use std::fmt::Debug;
use std::result::Result as StdResult;
use tracing::trace_span;
use wasmtime::component::{
    ComponentNamedList, Lift, Linker, LinkerInstance, Resource, ResourceType,
};
use wasmtime::{Result, StoreContextMut};

/// A mapping as a guest passes it.
pub(crate) type Handle = Resource<MappingHandle>;

/// What a guest gets back.
pub(crate) type Answer<R> = (StdResult<R, ErrorCode>,);

/// How the view of a store is found in its data.
pub(crate) type Getter<T> = fn(&mut T) -> IommapCtxView<'_>;

/// `open`'s parameters as a guest passes them.
pub(crate) type OpenParams = (GuestPath, types::AccessMode, OpenFlags, Option<u64>);

/// The calls on a mapping that may wait for a device, given to a function that defines one.
macro_rules! waiting_calls {
    ($($define:ident)::+ ($types:expr, $get:expr)) => {
        $($define)::+(
            $types,
            "[method]mapping.sync",
            $get,
            |(this, mode): (Handle, types::SyncMode)| (this, mode),
            |mapping, mode| mapping.sync(mode.into()),
        )?;
        $($define)::+(
            $types,
            "[method]mapping.sync-range",
            $get,
            |(this, offset, length, mode): (Handle, u64, u64, types::SyncMode)| {
                (this, (offset, length, mode))
            },
            |mapping, (offset, length, mode)| mapping.sync_range(offset, length, mode.into()),
        )?;
        $($define)::+(
            $types,
            "[method]mapping.truncate",
            $get,
            |(this, size): (Handle, u64)| (this, size),
            |mapping, size| mapping.truncate(size),
        )?;
        // `willneed` on a small range reads its pages in at once.
        $($define)::+(
            $types,
            "[method]mapping.advise",
            $get,
            |(this, offset, length, hint): (Handle, u64, u64, types::Advice)| {
                (this, (offset, length, hint))
            },
            |mapping, (offset, length, hint)| mapping.advise(offset, length, hint.into()),
        )?;
    };
}

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
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: Getter<T>) -> Result<()> {
    let mut types = define(linker, get)?;
    types.func_wrap("[static]mapping.open", move |mut store: StoreContextMut<'_, T>, params| {
        let params = open_params(&store, params)?;
        let mut view = get(store.data_mut());
        let (path, options) = match params {
            Ok(params) => params,
            Err(length) => return refuse(&view, length),
        };
        let _span = trace_span!("open", path, ?options).entered();
        let (grants, account) = (&view.ctx.grants, &view.ctx.account);
        let opened = with_cause(|| Mapping::open(grants, account, &path, &options));
        opened_mapping(&mut view, "open", &path, &options, opened)
    })?;
    waiting_calls!(wait_here(&mut types, get));
    define_transfers(&mut types, get)
}

/// Adds `iommap:mmap` to a linker for async stores: calls that wait for a device (`open`,
/// `sync`, `sync-range`, `truncate`, `advise`) do so on a thread of tokio's for blocking work, unless the
/// store's context [allows](crate::IommapCtxBuilder::allow_blocking_current_thread) otherwise.
/// Reads and writes stay on the executor's thread, where most take less time than the hand-over
/// would; see [`add_to_linker_async_with`] for large ones.
///
/// A guest's call must run within a tokio runtime.
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
/// let options = AsyncOptions { offload_above: Some(64 << 10) };
/// iommap::add_to_linker_async_with(&mut linker, options, |state| IommapCtxView {
///     ctx: &mut state.iommap,
///     table: &mut state.table,
/// })?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "async")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsyncOptions {
    /// Reads and writes of more bytes than this wait for their pages on another thread, so that
    /// a slow device never holds the executor's. What stays on the executor's thread is the
    /// copy in memory. `None`: they all wait where they are.
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
    let mut types = define(linker, get)?;
    offload::define_open(&mut types, get)?;
    waiting_calls!(offload::wait_elsewhere(&mut types, get));
    match options.offload_above {
        None => define_transfers(&mut types, get),
        Some(bytes) => offload::define_transfers(&mut types, get, bytes),
    }
}

/// Defines the resource and every function that never waits for a device by its nature. Returns
/// the interface `types`, open for those that do.
fn define<T: 'static>(linker: &mut Linker<T>, get: Getter<T>) -> Result<LinkerInstance<'_, T>> {
    let mut batch = linker.instance("iommap:mmap/batch@0.1.0")?;
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
            let result = write_many(&mut store, get, &this, &ranges, &data)?;
            let arguments = ("ranges", ranges.len());
            moved(&mut store, get, &this, "pwrite-many", &arguments, result)
        },
    )?;

    let mut types = linker.instance("iommap:mmap/types@0.1.0")?;
    types.resource("mapping", ResourceType::host::<MappingHandle>(), move |mut store, rep| {
        let _span = trace_span!("drop", mapping = rep).entered();
        get(store.data_mut()).drop_handle(rep)
    })?;
    types.func_wrap(
        "[method]mapping.close",
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let _span = trace_span!("close", mapping = this.rep()).entered();
            let view = get(store.data_mut());
            let mapping = view.mapping(&this)?;
            answer(Call::on(mapping, "close", &()), mapping.close(), None)
        },
    )?;
    types.func_wrap(
        "[method]mapping.position",
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let _span = trace_span!("position", mapping = this.rep()).entered();
            let view = get(store.data_mut());
            let mapping = view.mapping(&this)?;
            answer(Call::on(mapping, "position", &()), mapping.position(), None)
        },
    )?;
    Ok(types)
}

/// Defines `pread` and `pwrite` so that they wait for their pages where they are.
fn define_transfers<T: 'static>(types: &mut LinkerInstance<'_, T>, get: Getter<T>) -> Result<()> {
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
            let range = Range { offset, length: data.len() as u64 };
            let result = write(&mut store, get, &this, offset, &data)?;
            moved(&mut store, get, &this, "pwrite", &range, result)
        },
    )
}

/// Defines a function on a mapping that waits on the guest's thread.
fn wait_here<T, P, A>(
    types: &mut LinkerInstance<'_, T>,
    name: &'static str,
    get: Getter<T>,
    split: fn(P) -> (Handle, A),
    call: fn(&Mapping, A) -> StdResult<(), Error>,
) -> Result<()>
where
    T: 'static,
    P: ComponentNamedList + Lift + 'static,
    A: Copy + Debug + 'static,
{
    types.func_wrap(name, move |mut store: StoreContextMut<'_, T>, params: P| {
        let (this, arguments) = split(params);
        let _span = trace_span!("call", name, mapping = this.rep()).entered();
        let view = get(store.data_mut());
        let mapping = view.mapping(&this)?;
        let (result, cause) = with_cause(|| call(mapping, arguments));
        answer(Call::on(mapping, name, &arguments), result, cause)
    })
}

/// A guest's path, copied, and its options; or how long the path is, if it is too long to be one.
pub(crate) fn open_params<T: 'static>(
    store: &StoreContextMut<'_, T>,
    (path, mode, flags, size): OpenParams,
) -> Result<StdResult<(String, OpenOptions), usize>> {
    Ok(path.text(store)?.map(|path| (path.into_owned(), open_options(mode, flags, size))))
}

/// Refuses to open a path that is too long.
pub(crate) fn refuse(view: &IommapCtxView<'_>, length: usize) -> Result<Answer<Handle>> {
    let arguments = ("length of the path", length);
    let call = Call::opening(&view.ctx.account, "", "open", &arguments);
    answer(call, Err(Error::BadArg), None)
}

/// Gives the guest the handle to a mapping that was opened, or says why there is none.
pub(crate) fn opened_mapping(
    view: &mut IommapCtxView<'_>,
    call: &'static str,
    path: &str,
    options: &OpenOptions,
    (opened, cause): (StdResult<Mapping, Error>, Option<Errno>),
) -> Result<Answer<Handle>> {
    match opened {
        Ok(mapping) => Ok((Ok(view.push(mapping)?),)),
        Err(error) => {
            let call = Call::opening(&view.ctx.account, path, call, options);
            answer(call, Err(error), cause)
        }
    }
}

/// What the guest gets; the log gets the reason too.
#[inline]
pub(crate) fn answer<R>(
    call: Call<'_>,
    result: StdResult<R, Error>,
    cause: Option<Errno>,
) -> Result<Answer<R>> {
    if let Err(error) = &result {
        call.refused(error, cause);
    }
    Ok((result.map_err(ErrorCode::from),))
}

/// What the guest gets of a call that moved bytes; the log gets the reason too.
#[inline]
pub(crate) fn moved<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Getter<T>,
    this: &Handle,
    name: &'static str,
    arguments: &dyn Debug,
    result: StdResult<(), Error>,
) -> Result<Answer<()>> {
    if let Err(error) = &result {
        Call::on(get(store.data_mut()).mapping(this)?, name, arguments).refused(error, None);
    }
    Ok((result.map_err(ErrorCode::from),))
}
