//! `iommap:mmap/storage`: holes and blocks, a file's entry, and many mappings on the device at once,
//! for both kinds of store.
//!
//! All of it may wait for a device, where the other calls that do so wait.

use super::abi::HandleList;
use super::access::{Access, View};
use super::bindings::storage::SyncFailure;
use super::log::Call;
#[cfg(feature = "async")]
use super::offload::{Elsewhere, elsewhere};
use super::waiting::{Here, Waiting};
use super::{Getter, Handle, Import};
use crate::error::{Error, ErrorKind};
use crate::mapping::{MOST_TOGETHER, Range, Space, run_all, write_back_all};
use std::collections::HashSet;
use std::result::Result as StdResult;
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::trace_span;
use wasmtime::component::{Linker, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

const STORAGE: &str = "iommap:mmap/storage@0.1.0";
const SYNC_MANY: &str = "sync-many";

/// Adds `iommap:mmap/storage` to a linker, for stores of either kind, beside what
/// [`add_to_linker`](crate::add_to_linker) adds: calls block the thread that the guest runs on while
/// they wait for a device. For an async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// It takes no more than the rest of the interface does: blocks are allocated up to the length that
/// a guest may make a file ([`max_file_bytes`](crate::IommapCtxBuilder::max_file_bytes)), and no
/// descriptor is kept for it. With it a guest can give back blocks that somebody has
/// allocated for a file which it may write to.
///
/// # Errors
///
/// The linker has a definition of the interface already.
pub fn add_to_linker<T: 'static>(linker: &mut Linker<T>, get: Getter<T>) -> Result<()> {
    add(linker, &Import::new(get))
}

/// The same, for whatever import.
pub(super) fn add<T: 'static>(linker: &mut Linker<T>, import: &Import<T>) -> Result<()> {
    let get = import.access;
    let mut storage = define(linker, get, &Here)?;
    storage.func_wrap(
        SYNC_MANY,
        move |mut store: StoreContextMut<'_, T>, (list,): (HandleList,)| {
            let _span = trace_span!("sync-many", n = list.count()).entered();
            let call = Call::new(SYNC_MANY);
            let view = get.view(store.data_mut());
            let done = match each_once(&list) {
                Ok(each) => {
                    let mapped = |(index, handle)| Ok((index, view.mapped(handle)?));
                    let each = each.into_iter().map(mapped).collect::<Result<Vec<_>>>()?;
                    write_back_all(each.into_iter()).and_then(run_all)
                }
                Err(refused) => Err(refused),
            };
            Ok((answer(call, &view, &list, done)?,))
        },
    )
}

/// Adds `iommap:mmap/storage` to a linker for async stores: calls wait for a device where those of
/// [`add_to_linker_async`](crate::add_to_linker_async) do.
///
/// # Errors
///
/// The linker has a definition of the interface already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
) -> Result<()> {
    add_async(linker, &Import::new(get))
}

/// The same, for whatever import.
#[cfg(feature = "async")]
pub(super) fn add_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
) -> Result<()> {
    let get = import.access;
    let mut storage = define(linker, get, &Elsewhere)?;
    storage.func_wrap_async(
        SYNC_MANY,
        move |mut store: StoreContextMut<'_, T>, (list,): (HandleList,)| {
            let span = trace_span!("sync-many", n = list.count());
            let future = async move {
                let call = Call::new(SYNC_MANY);
                let done = match each_once(&list) {
                    Ok(each) => sync_elsewhere(&mut store, get, &each).await?,
                    Err(refused) => Err(refused),
                };
                Ok((answer(call, &get.view(store.data_mut()), &list, done)?,))
            };
            Box::new(future.instrument(span))
        },
    )
}

/// Defines what is done to one mapping. Returns the interface, open for what is done to many.
fn define<'l, T: 'static, W: Waiting<T>>(
    linker: &'l mut Linker<T>,
    get: Access<T>,
    waiting: &W,
) -> Result<LinkerInstance<'l, T>> {
    let mut storage = linker.instance(STORAGE)?;
    let split = |(this, offset, length): (Handle, u64, u64)| (this, Range { offset, length });
    waiting.define(&mut storage, get, "punch-hole", split, |mapped, range| {
        mapped.change_space(Space::Hole, range)?.run()
    })?;
    waiting.define(&mut storage, get, "zero-range", split, |mapped, range| {
        mapped.change_space(Space::Zeros, range)?.run()
    })?;
    waiting.define(&mut storage, get, "allocate", split, |mapped, range| {
        mapped.change_space(Space::Blocks, range)?.run()
    })?;
    let split = |(this,): (Handle,)| (this, ());
    waiting
        .define(&mut storage, get, "sync-entry", split, |mapped, ()| mapped.sync_entry()?.run())?;
    Ok(storage)
}

/// Which of them fails, and why.
type Synced = StdResult<(), (usize, Error)>;

/// The mappings of a list, each of them once; or where there are too many of them.
fn each_once(list: &HandleList) -> StdResult<Vec<(usize, &Handle)>, (usize, Error)> {
    if list.count() > MOST_TOGETHER {
        let reason = format!("{} mappings in one call, of {MOST_TOGETHER}", list.count());
        let error = Error::because(ErrorKind::LimitExceeded, reason);
        return Err((MOST_TOGETHER, error));
    }
    let mut seen = HashSet::new();
    let each = list.handles().iter().enumerate();
    Ok(each.filter(|(_, handle)| seen.insert(handle.rep())).collect())
}

/// Has the mappings elsewhere while they are written back, as
/// [`with_mapped`](super::offload::with_mapped) has one.
#[cfg(feature = "async")]
async fn sync_elsewhere<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    each: &[(usize, &Handle)],
) -> Result<Synced> {
    let mut view = get.view(store.data_mut());
    let mut here = true;
    for (_, handle) in each {
        here &= view.may_block(handle)?;
    }
    let mut taken = Vec::with_capacity(each.len());
    for (index, handle) in each {
        taken.push((*index, view.mapped_mut(handle)?.take()));
    }
    let (taken, done) = elsewhere(here, move || {
        let all = taken.iter().map(|(index, mapped)| (*index, mapped));
        let done = write_back_all(all).and_then(run_all);
        (taken, done)
    })
    .await?;
    let mut view = get.view(store.data_mut());
    for ((_, handle), (_, mapped)) in each.iter().zip(taken) {
        *view.mapped_mut(handle)? = mapped;
    }
    Ok(done)
}

/// What the guest is told, and the log.
fn answer(
    call: Call,
    view: &View<'_>,
    list: &HandleList,
    done: Synced,
) -> Result<StdResult<(), SyncFailure>> {
    let (index, result) = match done {
        Ok(()) => (0, Ok(())),
        Err((index, error)) => (index, Err(error)),
    };
    // Where a list is too long, nothing is known of the one at the limit.
    let Some(handle) = list.handles().get(index).or(list.handles().first()) else {
        return Ok(Ok(()));
    };
    let (answer,) = call.on(view.mapped(handle)?, &list.count(), result);
    Ok(answer.map_err(|code| SyncFailure { index: index as u32, code }))
}
