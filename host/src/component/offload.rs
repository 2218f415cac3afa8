//! Async stores: what waits for a device leaves the executor's thread.
//!
//! `open`, `sync`, `sync-range` and `truncate` run on one of tokio's threads for blocking work.
//! A large read or write has its pages made ready there, and is then copied where it is: the
//! executor's thread never waits for a device, and there is still one copy only.

use crate::abi::{ByteList, ReadReply, write};
use crate::diagnostics::Call;
use crate::error::{Error, with_cause};
use crate::linker::{
    Getter, Handle, OpenParams, answer, moved, open_params, opened_mapping, refuse,
};
use crate::mapping::{Mapping, Range};
use std::fmt::Debug;
use std::result::Result as StdResult;
use tracing::{Instrument, trace_span};
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

/// Runs `work` on a thread for blocking work, or here where that is allowed.
pub(crate) async fn elsewhere<R: Send + 'static>(
    here: bool,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R> {
    if here {
        return Ok(work());
    }
    let span = tracing::Span::current();
    // It fails only if `work` panics, which is a bug of ours, or if the runtime shuts down.
    Ok(tokio::task::spawn_blocking(move || span.in_scope(work)).await?)
}

/// Defines `open` so that it waits elsewhere.
pub(crate) fn define_open<T: Send + 'static>(
    types: &mut LinkerInstance<'_, T>,
    get: Getter<T>,
) -> Result<()> {
    types.func_wrap_async(
        "[static]mapping.open",
        move |mut store: StoreContextMut<'_, T>, params: OpenParams| {
            let call = async move {
                let params = open_params(&store, params)?;
                let view = get(store.data_mut());
                let (path, options) = match params {
                    Ok(params) => params,
                    Err(length) => return refuse(&view, length),
                };
                let (grants, account) = (view.ctx.grants.clone(), view.ctx.account.clone());
                let here = view.ctx.allow_blocking_current_thread;
                let (path, options, opened) = elsewhere(here, move || {
                    let opened = with_cause(|| Mapping::open(&grants, &account, &path, &options));
                    (path, options, opened)
                })
                .await?;
                opened_mapping(&mut get(store.data_mut()), "open", &path, &options, opened)
            };
            Box::new(call.instrument(trace_span!("open")))
        },
    )
}

/// Defines a function on a mapping so that it waits elsewhere.
pub(crate) fn wait_elsewhere<T, P, A>(
    types: &mut LinkerInstance<'_, T>,
    name: &'static str,
    get: Getter<T>,
    split: fn(P) -> (Handle, A),
    call: fn(&Mapping, A) -> StdResult<(), Error>,
) -> Result<()>
where
    T: Send + 'static,
    P: ComponentNamedList + Lift + 'static,
    A: Copy + Debug + Send + 'static,
{
    types.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, params: P| {
        let (this, arguments) = split(params);
        let span = trace_span!("call", name, mapping = this.rep());
        let call = async move {
            let view = get(store.data_mut());
            let here = view.ctx.allow_blocking_current_thread;
            let mapping = view.shared(&this)?;
            let work = mapping.clone();
            let (result, cause) =
                elsewhere(here, move || with_cause(|| call(&work, arguments))).await?;
            answer(Call::on(&mapping, name, &arguments), result, cause)
        };
        Box::new(call.instrument(span))
    })
}

/// Defines `pread` and `pwrite` so that those of more than `above` bytes have their pages made
/// ready elsewhere.
pub(crate) fn define_transfers<T: Send + 'static>(
    types: &mut LinkerInstance<'_, T>,
    get: Getter<T>,
    above: u64,
) -> Result<()> {
    types.func_wrap_async(
        "[method]mapping.pread",
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let span = trace_span!("pread", mapping = this.rep(), offset, length);
            let call = async move {
                ready(&mut store, get, &this, above, length, move |mapping| {
                    mapping.prepare_read(offset, length)
                })
                .await?;
                // Whatever stood in the way, the reply meets it again and says so.
                Ok((ReadReply::new(&mut store, get, &this, offset, length)?,))
            };
            Box::new(call.instrument(span))
        },
    )?;
    types.func_wrap_async(
        "[method]mapping.pwrite",
        move |mut store: StoreContextMut<'_, T>, (this, offset, data): (Handle, u64, ByteList)| {
            let length = data.len() as u64;
            let span = trace_span!("pwrite", mapping = this.rep(), offset, length);
            let call = async move {
                ready(&mut store, get, &this, above, length, move |mapping| {
                    mapping.prepare_write(offset, length)
                })
                .await?;
                let result = write(&mut store, get, &this, offset, &data)?;
                moved(&mut store, get, &this, "pwrite", &Range { offset, length }, result)
            };
            Box::new(call.instrument(span))
        },
    )
}

/// Makes the pages of a call ready elsewhere if the call is a large one.
async fn ready<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Getter<T>,
    this: &Handle,
    above: u64,
    length: u64,
    prepare: impl FnOnce(&Mapping) + Send + 'static,
) -> Result<()> {
    let view = get(store.data_mut());
    if length > above && !view.ctx.allow_blocking_current_thread {
        let mapping = view.shared(this)?;
        elsewhere(false, move || prepare(&mapping)).await?;
    }
    Ok(())
}
