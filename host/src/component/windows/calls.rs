//! Every function of `iommap:mmap/windows`, defined for both kinds of store.

use super::handle::WindowHandle;
#[cfg(feature = "async")]
use super::handle::within;
use super::plan::{Moving, Opening, Wanted};
use super::set::home;
use super::supported;
use crate::component::abi::GuestRegion;
use crate::component::bindings::windows::WindowFlags;
use crate::component::log::Call;
#[cfg(feature = "async")]
use crate::component::offload::elsewhere;
use crate::component::{Answer, Getter, Handle, IommapCtx};
use crate::error::{Error, ErrorKind};
use crate::mapping::Range;
use std::fmt::Debug;
use std::result::Result as StdResult;
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::{debug, trace_span};
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

pub(super) const WINDOWS: &str = "iommap:mmap/windows@0.1.0";
pub(super) const PREFETCH: &str = "[method]window.prefetch";

/// A window as a guest passes it.
pub(super) type Window = Resource<WindowHandle>;

pub(super) type OpenParams = (Handle, u64, u64, GuestRegion, WindowFlags);
pub(super) type MoveParams = (Window, Handle, u64, u64, WindowFlags);
pub(super) type PrefetchParams = (Window, u64, u64);

/// Adds `iommap:mmap/windows` to a linker, for stores of either kind, beside what
/// [`add_to_linker`](crate::add_to_linker) adds: calls block the thread that the guest runs on while
/// they wait for a device. For an async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// Guests get no windows unless [`max_windows`](crate::IommapCtxBuilder::max_windows) and
/// [`max_window_bytes`](crate::IommapCtxBuilder::max_window_bytes) are set (`limit-exceeded`), and where
/// they are not [`supported`] (`enotsup`): then they go on by `pread`.
///
/// ```
/// # use iommap::{IommapCtx, IommapCtxView};
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # struct State { iommap: IommapCtx, table: ResourceTable }
/// # fn main() -> wasmtime::Result<()> {
/// # let engine = Engine::default();
/// # fn view(state: &mut State) -> IommapCtxView<'_> {
/// #     IommapCtxView { ctx: &mut state.iommap, table: &mut state.table }
/// # }
/// let mut linker = Linker::<State>::new(&engine);
/// iommap::add_to_linker(&mut linker, view)?;
/// iommap::windows::add_to_linker(&mut linker, view)?;
///
/// let mut ctx = IommapCtx::builder();
/// ctx.max_windows(16).max_window_bytes(1 << 30);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: Getter<T>) -> Result<()> {
    let mut windows = define(linker, get, |_| true)?;
    windows.func_wrap(PREFETCH, move |mut store: StoreContextMut<'_, T>, params: PrefetchParams| {
        let (this, offset, length) = params;
        let range = Range { offset, length };
        let _span = trace_span!("window.prefetch", window = this.rep()).entered();
        let call = Call::new("window.prefetch");
        let window = get(store.data_mut()).table.get(&this)?.window.clone();
        let result = window.populate(&mut store, range, true);
        on_window(call, &mut store, get, &this, &range, result)
    })
}

/// Adds `iommap:mmap/windows` to a linker for async stores: `prefetch` waits on a thread of tokio's
/// for blocking work, and a window that is to be populated has its pages asked for but not waited
/// for, unless the store's context
/// [allows](crate::IommapCtxBuilder::allow_blocking_current_thread) otherwise.
///
/// A load of the guest's may wait for a device as well, and with it the executor's thread: there is
/// no call that could leave it. Have guests `prefetch`, or give them windows on what is in memory.
///
/// # Errors
///
/// The linker has a definition of the interface already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
) -> Result<()> {
    let mut windows = define(linker, get, |ctx| ctx.allow_blocking_current_thread)?;
    windows.func_wrap_async(
        PREFETCH,
        move |mut store: StoreContextMut<'_, T>, params: PrefetchParams| {
            let (this, offset, length) = params;
            let range = Range { offset, length };
            let span = trace_span!("window.prefetch", window = this.rep());
            let future = async move {
                let call = Call::new("window.prefetch");
                let home = home(&store);
                let view = get(store.data_mut());
                let here = view.ctx.allow_blocking_current_thread;
                let window = &view.table.get(&this)?.window;
                // What is read in is the file, not the memory: that may be gone when it is done.
                let shown =
                    window.look(home, |window| within(window, range).map(|_| window.shown.clone()));
                let result = match shown.and_then(|shown| shown) {
                    Ok(shown) => Ok(elsewhere(here, move || shown.read_in(range)).await?),
                    Err(error) => Err(error),
                };
                on_window(call, &mut store, get, &this, &range, result)
            };
            Box::new(future.instrument(span))
        },
    )
}

/// Defines the resource, and all that touches a guest's memory. `waits` says whether the guest's
/// thread may wait for a device. Returns the interface, open for the rest.
fn define<T: 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
    waits: fn(&IommapCtx) -> bool,
) -> Result<LinkerInstance<'_, T>> {
    let supported = supported(linker.engine());
    let mut windows = linker.instance(WINDOWS)?;
    let ty = ResourceType::host::<WindowHandle>();
    windows.resource("window", ty, move |mut store: StoreContextMut<'_, T>, rep| {
        let _span = trace_span!("drop", window = rep).entered();
        let handle = get(store.data_mut()).table.delete(Window::new_own(rep))?;
        match handle.window.close(&mut store) {
            // It stays what it is until the store goes, and stays watched.
            Err(error) if error != ErrorKind::Closed => debug!(%error, "a window stays"),
            _ => {}
        }
        Ok(())
    })?;
    windows.func_wrap(
        "[static]window.open",
        move |mut store: StoreContextMut<'_, T>, params: OpenParams| {
            let (source, offset, length, region, flags) = params;
            let wanted = Wanted { range: Range { offset, length }, flags };
            let _span = trace_span!("window.open", mapping = source.rep()).entered();
            let call = Call::new("window.open");
            let waits = waits(get(store.data_mut()).ctx);
            let planned = Opening::plan(&mut store, get, supported, &source, wanted, region)?;
            let opened = planned.and_then(|opening| opening.run(&mut store, get, wanted, waits));
            let view = get(store.data_mut());
            let result = match opened {
                Ok(handle) => Ok(view.table.push(handle)?),
                Err(error) => Err(error),
            };
            Ok(call.on(&view.table.get(&source)?.mapped, &wanted, result))
        },
    )?;
    windows.func_wrap(
        "[method]window.move-to",
        move |mut store: StoreContextMut<'_, T>, params: MoveParams| {
            let (this, source, offset, length, flags) = params;
            let wanted = Wanted { range: Range { offset, length }, flags };
            let _span = trace_span!("window.move-to", window = this.rep()).entered();
            let call = Call::new("window.move-to");
            let waits = waits(get(store.data_mut()).ctx);
            let result = match Moving::plan(&mut store, get, supported, &this, &source, wanted)? {
                Ok(moving) => moving.run(&mut store, get, &this, wanted, waits)?,
                Err(error) => Err(error),
            };
            Ok(call.on(&get(store.data_mut()).table.get(&source)?.mapped, &wanted, result))
        },
    )?;
    windows.func_wrap(
        "[method]window.close",
        move |mut store: StoreContextMut<'_, T>, (this,): (Window,)| {
            let _span = trace_span!("window.close", window = this.rep()).entered();
            let call = Call::new("window.close");
            let window = get(store.data_mut()).table.get(&this)?.window.clone();
            let result = window.close(&mut store);
            on_window(call, &mut store, get, &this, &(), result)
        },
    )?;
    windows.func_wrap(
        "[method]window.check",
        move |mut store: StoreContextMut<'_, T>, (this,): (Window,)| {
            let call = Call::new("window.check");
            let home = home(&store);
            let window = &get(store.data_mut()).table.get(&this)?.window;
            let result = match window.look(home, |window| window.lost()) {
                Ok(0) if !call.is_told() => return Ok((Ok(()),)),
                Ok(0) => Ok(()),
                Ok(_) => Err(ErrorKind::Sigbus.into()),
                Err(error) => Err(error),
            };
            on_window(call, &mut store, get, &this, &(), result)
        },
    )?;
    Ok(windows)
}

/// A call on a window ends.
fn on_window<T: 'static>(
    call: Call,
    store: &mut StoreContextMut<'_, T>,
    get: Getter<T>,
    this: &Window,
    arguments: &dyn Debug,
    result: StdResult<(), Error>,
) -> Result<Answer<()>> {
    let view = get(store.data_mut());
    Ok(call.of(view.ctx.usage(), &view.table.get(this)?.name, arguments, result))
}
