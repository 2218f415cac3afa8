//! Async stores: what waits for a device leaves the executor's thread.
//!
//! While a call is elsewhere it has the mapping with it, and the guest's handle names a closed one:
//! nobody else can reach it, since the store is lent to the call. A call whose future is dropped
//! does not begin any more if it has not begun; if it has, it ends, and with it the mapping, whose
//! store is not to be told any more.

use super::Handle;
use super::abi::{ByteList, RangeList, ReadManyReply, ReadReply, write, write_many};
use super::access::Access;
use super::changes::{READ_STRICT, READ_UP_TO};
use super::log::Call;
use super::waiting::{Waiting, Work};
use crate::mapping::{Mapped, Range, cost, most_ranges};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle as Runtime;
use tokio::task::JoinHandle;
use tracing::{Instrument, trace_span};
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance};
use wasmtime::{Result, StoreContextMut, bail};

/// Runs `work` on a thread for blocking work, or here where that is allowed.
pub(super) async fn elsewhere<R: Send + 'static>(
    here: bool,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R> {
    if here {
        return Ok(work());
    }
    let Ok(runtime) = Runtime::try_current() else {
        bail!("a call of iommap's async linker was polled outside of a tokio runtime");
    };
    let span = tracing::Span::current();
    let task = runtime.spawn_blocking(move || span.in_scope(work));
    // It fails only if `work` panics, which is a bug of ours, or if the runtime shuts down.
    Ok(Cancelled(task).await?)
}

/// A task that does not begin any more once nobody waits for it.
struct Cancelled<R>(JoinHandle<R>);

impl<R> Future for Cancelled<R> {
    type Output = std::result::Result<R, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<R> Drop for Cancelled<R> {
    fn drop(&mut self) {
        // A task for blocking work that runs already goes on.
        self.0.abort();
    }
}

/// Has a mapping elsewhere for as long as `work` takes.
pub(super) async fn with_mapped<T: 'static, R: Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    work: impl FnOnce(&mut Mapped) -> R + Send + 'static,
) -> Result<R> {
    let mut view = get.view(store.data_mut());
    let here = view.may_block(this)?;
    let mut mapped = view.mapped_mut(this)?.take();
    let (mapped, result) = elsewhere(here, move || {
        let result = work(&mut mapped);
        (mapped, result)
    })
    .await?;
    *get.view(store.data_mut()).mapped_mut(this)? = mapped;
    Ok(result)
}

/// Calls wait on a thread for blocking work.
pub(super) struct Elsewhere;

impl<T: Send + 'static> Waiting<T> for Elsewhere {
    fn define<P, A>(
        &self,
        types: &mut LinkerInstance<'_, T>,
        get: Access<T>,
        name: &'static str,
        split: fn(P) -> (Handle, A),
        work: Work<A>,
    ) -> Result<()>
    where
        P: ComponentNamedList + Lift + 'static,
        A: Copy + Debug + Send + 'static,
    {
        types.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, params: P| {
            let (this, arguments) = split(params);
            let span = trace_span!("call", name, mapping = this.rep());
            let future = async move {
                let call = Call::new(name);
                let result =
                    with_mapped(&mut store, get, &this, move |mapped| work(mapped, arguments))
                        .await?;
                Ok(call.on(get.view(store.data_mut()).mapped(&this)?, &arguments, result))
            };
            Box::new(future.instrument(span))
        })
    }
}

/// Defines `pread` and `pwrite` so that those of more than `above` bytes have their pages made
/// ready elsewhere.
pub(super) fn define_transfers<T: Send + 'static>(
    types: &mut LinkerInstance<'_, T>,
    get: Access<T>,
    above: u64,
) -> Result<()> {
    types.func_wrap_async(
        "[method]mapping.pread",
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let span = trace_span!("pread", mapping = this.rep(), offset, length);
            let future = async move {
                if length > above {
                    make_ready(&mut store, get, &this, [Range { offset, length }], false).await?;
                }
                // Whatever stood in the way, the reply meets it again and says so.
                Ok((ReadReply::new(&mut store, get, &this, offset, length)?,))
            };
            Box::new(future.instrument(span))
        },
    )?;
    types.func_wrap_async(
        "[method]mapping.pwrite",
        move |mut store: StoreContextMut<'_, T>, (this, offset, data): (Handle, u64, ByteList)| {
            let length = data.len() as u64;
            let span = trace_span!("pwrite", mapping = this.rep(), offset, length);
            let future = async move {
                if length > above {
                    make_ready(&mut store, get, &this, [Range { offset, length }], true).await?;
                }
                write(&mut store, get, &this, offset, &data)
            };
            Box::new(future.instrument(span))
        },
    )
}

/// Defines the batch calls likewise: those whose ranges are more than `above` bytes' worth of work.
pub(super) fn define_batch<T: Send + 'static>(
    batch: &mut LinkerInstance<'_, T>,
    get: Access<T>,
    above: u64,
) -> Result<()> {
    batch.func_wrap_async(
        "pread-many",
        move |mut store: StoreContextMut<'_, T>, (this, ranges): (Handle, RangeList)| {
            let span = trace_span!("pread-many", mapping = this.rep(), n = ranges.len());
            let future = async move {
                let longest =
                    most_ranges(get.view(store.data_mut()).mapped(&this)?.usage().limits());
                let list = ranges.copied(&store, longest);
                if cost(&list) > above {
                    make_ready(&mut store, get, &this, list, false).await?;
                }
                Ok((ReadManyReply::new(&mut store, get, &this, ranges)?,))
            };
            Box::new(future.instrument(span))
        },
    )?;
    batch.func_wrap_async(
        "pwrite-many",
        move |mut store: StoreContextMut<'_, T>,
              (this, ranges, data): (Handle, RangeList, ByteList)| {
            let span = trace_span!("pwrite-many", mapping = this.rep(), n = ranges.len());
            let future = async move {
                let longest =
                    most_ranges(get.view(store.data_mut()).mapped(&this)?.usage().limits());
                let list = ranges.copied(&store, longest);
                if cost(&list) > above {
                    make_ready(&mut store, get, &this, list, true).await?;
                }
                write_many(&mut store, get, &this, &ranges, &data)
            };
            Box::new(future.instrument(span))
        },
    )
}

/// Defines the reads of `iommap:mmap/changes` likewise.
pub(super) fn define_reads<T: Send + 'static>(
    changes: &mut LinkerInstance<'_, T>,
    get: Access<T>,
    above: u64,
) -> Result<()> {
    changes.func_wrap_async(
        READ_UP_TO,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let span = trace_span!("read-up-to", mapping = this.rep(), offset, length);
            let future = async move {
                let wanted = Range { offset, length };
                match get.view(store.data_mut()).mapped(&this)?.up_to(wanted) {
                    Ok(range) if range.length > above => {
                        make_ready(&mut store, get, &this, [range], false).await?;
                    }
                    _ => {}
                }
                Ok((ReadReply::up_to(&mut store, get, &this, wanted)?,))
            };
            Box::new(future.instrument(span))
        },
    )?;
    changes.func_wrap_async(
        READ_STRICT,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let span = trace_span!("read-strict", mapping = this.rep(), offset, length);
            let future = async move {
                let call = Call::new(READ_STRICT);
                let range = Range { offset, length };
                // The file is asked after the copy, and so the copy is made elsewhere too.
                let read = match length > above {
                    true => {
                        let work = move |mapped: &mut Mapped| mapped.read_strict(range);
                        with_mapped(&mut store, get, &this, work).await?
                    }
                    false => get.view(store.data_mut()).mapped(&this)?.read_strict(range),
                };
                let mut bytes = Vec::new();
                let result = get.view(store.data_mut()).read(&this, |_| {
                    bytes = read?;
                    Ok(bytes.len() as u64)
                })?;
                let view = get.view(store.data_mut());
                Ok(call.on(view.mapped(&this)?, &range, result.map(|()| bytes)))
            };
            Box::new(future.instrument(span))
        },
    )
}

/// Makes the pages of a call ready elsewhere. What is not allowed is left for the call to refuse.
async fn make_ready<T: 'static, R>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    ranges: R,
    for_writing: bool,
) -> Result<()>
where
    R: AsRef<[Range]> + Send + 'static,
{
    let view = get.view(store.data_mut());
    let mapped = view.mapped(this)?;
    if !view.may_block(this)? && mapped.check_many(ranges.as_ref(), for_writing).is_ok() {
        with_mapped(store, get, this, move |mapped| {
            for Range { offset, length } in ranges.as_ref() {
                mapped.prefault(*offset, *length, for_writing);
            }
        })
        .await?;
    }
    Ok(())
}
