//! `iommap:mmap/locks`: locks on ranges of mapped files, for both kinds of store.
//!
//! The kernel is never asked to wait, and answers at once, unless the file system has to ask a server
//! (NFS, FUSE with locks of its own). So it is asked where the guest is, but for such files of async
//! stores: see `servers`. In between a sync store's thread waits, and an async store's task, for a stretch
//! at most: then the guest gets its turn, in which its epoch or its fuel ends it.

#[cfg(feature = "async")]
mod servers;

use super::access::Access;
use super::bindings::locks::{LockMode, Outcome};
use super::log::Call;
use super::{Answer, Getter, Handle, Import};
use crate::error::Error;
#[cfg(feature = "async")]
use crate::mapping::Mapped;
use crate::mapping::{self, Asking, Range, Step};
use std::result::Result as StdResult;
use std::time::Duration;
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::trace_span;
use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

const LOCKS: &str = "iommap:mmap/locks@0.1.0";
const LOCK: &str = "lock";
const UNLOCK: &str = "unlock";
const WOULD_LOCK: &str = "would-lock";

/// `lock`'s parameters as a guest passes them.
type LockParams = (Handle, u64, u64, LockMode, Option<u64>);

/// `unlock`'s, and `would-lock`'s.
type UnlockParams = (Handle, u64, u64);
type WouldParams = (Handle, u64, u64, LockMode);

/// What a lock is asked for on, in which mode and how long, as the log has it.
type Wanted = (Range, mapping::LockMode, Option<Duration>);

/// Adds `iommap:mmap/locks` to a linker, for stores of either kind, beside what
/// [`add_to_linker`](crate::add_to_linker) adds: a guest that waits for a lock holds its thread. For an
/// async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// Guests get no locks unless [`max_locks`](crate::IommapCtxBuilder::max_locks) is set: they are told
/// `enotsup`. One that waits comes back to its own code many times a second, so that its store's epoch
/// or fuel can end it.
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
    let mut locks = linker.instance(LOCKS)?;
    locks.func_wrap(
        UNLOCK,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): UnlockParams| {
            let range = Range { offset, length };
            let _span = trace_span!("unlock", mapping = this.rep()).entered();
            let call = Call::new(UNLOCK);
            let mut view = get.view(store.data_mut());
            let mapped = view.mapped_mut(&this)?;
            let result = mapped.unlock(range);
            Ok(call.on(mapped, &range, result))
        },
    )?;
    locks.func_wrap(
        WOULD_LOCK,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length, mode): WouldParams| {
            let wanted = (Range { offset, length }, mapping::LockMode::from(mode));
            let _span = trace_span!("would-lock", mapping = this.rep()).entered();
            let call = Call::new(WOULD_LOCK);
            let view = get.view(store.data_mut());
            let mapped = view.mapped(&this)?;
            let result = mapped.would_lock(wanted.0, wanted.1);
            Ok(call.on(mapped, &wanted, result))
        },
    )?;
    locks.func_wrap(LOCK, move |mut store: StoreContextMut<'_, T>, params: LockParams| {
        let (this, wanted) = split(params);
        let _span = trace_span!("lock", mapping = this.rep()).entered();
        let call = Call::new(LOCK);
        let mut asking = match ask(&mut store, get, &this, wanted)? {
            Ok(asking) => asking,
            Err(error) => return answer(call, &mut store, get, &this, &wanted, Err(error)),
        };
        let result = loop {
            match asking.step(get.view(store.data_mut()).mapped_mut(&this)?) {
                Ok(Step::Wait(until)) => asking.wait_here(until),
                Ok(Step::Over(outcome)) => break Ok(outcome.into()),
                Err(error) => break Err(error),
            }
        };
        answer(call, &mut store, get, &this, &wanted, result)
    })
}

/// Adds `iommap:mmap/locks` to a linker for async stores: a guest that waits for a lock holds no
/// thread, on whatever executor, and leaves the place where it waits when its future is dropped.
///
/// Where a server grants the locks of a file (NFS, FUSE), a thread for blocking work of the tokio runtime
/// waits for its answers; outside of a runtime the call itself waits for them.
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
    let mut locks = linker.instance(LOCKS)?;
    locks.func_wrap_async(
        UNLOCK,
        move |mut store: StoreContextMut<'_, T>, params: UnlockParams| {
            let (this, offset, length) = params;
            let span = trace_span!("unlock", mapping = this.rep());
            let future = async move {
                let call = Call::new(UNLOCK);
                let range = Range { offset, length };
                let work = move |mapped: &mut Mapped| mapped.unlock(range);
                let result = servers::give_back(&mut store, get, &this, work).await?;
                Ok(call.on(get.view(store.data_mut()).mapped(&this)?, &range, result))
            };
            Box::new(future.instrument(span))
        },
    )?;
    locks.func_wrap_async(
        WOULD_LOCK,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length, mode): WouldParams| {
            let span = trace_span!("would-lock", mapping = this.rep());
            let future = async move {
                let call = Call::new(WOULD_LOCK);
                let wanted = (Range { offset, length }, mapping::LockMode::from(mode));
                let work = |mapped: &mut Mapped, (range, mode)| mapped.would_lock(range, mode);
                let asked = servers::ask(&mut store, get, &this, wanted, work).await?;
                let result = asked.unwrap_or_else(|_| Err(servers::refused()));
                Ok(call.on(get.view(store.data_mut()).mapped(&this)?, &wanted, result))
            };
            Box::new(future.instrument(span))
        },
    )?;
    locks.func_wrap_async(LOCK, move |mut store: StoreContextMut<'_, T>, params: LockParams| {
        let (this, wanted) = split(params);
        let span = trace_span!("lock", mapping = this.rep());
        let future = async move {
            let call = Call::new(LOCK);
            let mut asking = match ask(&mut store, get, &this, wanted)? {
                Ok(asking) => asking,
                Err(error) => return answer(call, &mut store, get, &this, &wanted, Err(error)),
            };
            let result = loop {
                // Nobody else has the store meanwhile.
                let step;
                (asking, step) = servers::step(&mut store, get, &this, asking).await?;
                match step {
                    Ok(Step::Wait(until)) => asking.wait(until).await,
                    Ok(Step::Over(outcome)) => break Ok(outcome.into()),
                    Err(error) => break Err(error),
                }
            };
            answer(call, &mut store, get, &this, &wanted, result)
        };
        Box::new(future.instrument(span))
    })
}

fn split((this, offset, length, mode, wait): LockParams) -> (Handle, Wanted) {
    (this, (Range { offset, length }, mode.into(), wait.map(Duration::from_nanos)))
}

/// A store is who waits.
fn ask<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    (range, mode, wait): Wanted,
) -> Result<StdResult<Asking, Error>> {
    let mut view = get.view(store.data_mut());
    let owner = view.owner(this)?;
    Ok(Asking::new(view.mapped(this)?, range, mode, wait, Some(owner)))
}

fn answer<T: 'static>(
    call: Call,
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    wanted: &Wanted,
    result: StdResult<Outcome, Error>,
) -> Result<Answer<Outcome>> {
    Ok(call.on(get.view(store.data_mut()).mapped(this)?, wanted, result))
}

impl From<LockMode> for mapping::LockMode {
    fn from(mode: LockMode) -> mapping::LockMode {
        match mode {
            LockMode::Shared => mapping::LockMode::Shared,
            LockMode::Exclusive => mapping::LockMode::Exclusive,
        }
    }
}

impl From<mapping::Outcome> for Outcome {
    fn from(outcome: mapping::Outcome) -> Outcome {
        match outcome {
            mapping::Outcome::Locked => Outcome::Locked,
            mapping::Outcome::Busy => Outcome::Busy,
            mapping::Outcome::Deadlock => Outcome::Deadlock,
            mapping::Outcome::Again => Outcome::Again,
        }
    }
}
