//! `iommap:mmap/atomics`: words of shared mappings, for both kinds of store.
//!
//! All but `wait` are done where the guest is. A sync store waits there too; for an async store a
//! thread does that is there for nothing else. Either comes back to the guest after a stretch at
//! most, in which its epoch or its fuel ends it.

use super::access::Access;
use super::bindings::atomics::{Change, Outcome};
use super::log::Call;
use super::{Answer, Getter, Handle, Import};
use crate::error::Error;
use crate::guard::atomic::Word;
use crate::mapping::{self, STRETCH, Waited};
use std::fmt::Debug;
use std::result::Result as StdResult;
use std::time::{Duration, Instant};
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::trace_span;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower};
use wasmtime::{Result, StoreContextMut};

const ATOMICS: &str = "iommap:mmap/atomics@0.1.0";
const WAIT: &str = "wait";

/// `wait`'s parameters as a guest passes them.
type WaitParams = (Handle, u64, u32, Option<u64>);

/// Adds `iommap:mmap/atomics` to a linker, for stores of either kind, beside what
/// [`add_to_linker`](crate::add_to_linker) adds: a guest that waits on a word holds its thread. For an
/// async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// Whatever a guest may read and write through a mapping it may read and write so. It may not wait
/// unless [`max_waiters`](crate::IommapCtxBuilder::max_waiters) is set: it is told `enotsup`. One that
/// waits comes back to its own code many times a second, so that its store's epoch or fuel can end it.
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
    let mut atomics = define(linker, get)?;
    atomics.func_wrap(WAIT, move |mut store: StoreContextMut<'_, T>, params: WaitParams| {
        let _span = trace_span!("wait", mapping = params.0.rep()).entered();
        let call = Call::new(WAIT);
        let time = Time::new(params.3);
        let result = match begin(&mut store, get, &params, time)? {
            Ok(Ok(waiting)) => {
                let done = waiting.wait_here(Some(time.stretch));
                drop(waiting);
                get.view(store.data_mut()).mapped(&params.0)?.told(done)
            }
            Ok(Err(waited)) => Ok(waited),
            Err(error) => Err(error),
        };
        answer(call, &mut store, get, &params, result.map(|waited| time.outcome(waited)))
    })
}

/// Adds `iommap:mmap/atomics` to a linker for async stores: a guest that waits on a word holds no
/// thread of an executor's, whichever it is. A thread waits for it that is there for that alone, so
/// that as many threads may come to be as may wait.
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
    let mut atomics = define(linker, get)?;
    atomics.func_wrap_async(WAIT, move |mut store: StoreContextMut<'_, T>, params: WaitParams| {
        let span = trace_span!("wait", mapping = params.0.rep());
        let future = async move {
            let call = Call::new(WAIT);
            let time = Time::new(params.3);
            let result = match begin(&mut store, get, &params, time)? {
                Ok(Ok(waiting)) => {
                    let done = waiting.wait(time.stretch).await;
                    get.view(store.data_mut()).mapped(&params.0)?.told(done)
                }
                Ok(Err(waited)) => Ok(waited),
                Err(error) => Err(error),
            };
            answer(call, &mut store, get, &params, result.map(|waited| time.outcome(waited)))
        };
        Box::new(future.instrument(span))
    })
}

/// Defines what never waits. Returns the interface, open for the rest.
fn define<T: 'static>(linker: &mut Linker<T>, get: Access<T>) -> Result<LinkerInstance<'_, T>> {
    let mut atomics = linker.instance(ATOMICS)?;
    let names = ["load-u32", "store-u32", "change-u32", "compare-exchange-u32"];
    define_words::<T, u32>(&mut atomics, get, names)?;
    let names = ["load-u64", "store-u64", "change-u64", "compare-exchange-u64"];
    define_words::<T, u64>(&mut atomics, get, names)?;
    atomics.func_wrap(
        "notify",
        move |mut store: StoreContextMut<'_, T>, (this, offset, count): (Handle, u64, u32)| {
            let _span = trace_span!("notify", mapping = this.rep()).entered();
            let call = Call::new("notify");
            let view = get.view(store.data_mut());
            let mapped = view.mapped(&this)?;
            Ok(call.on(mapped, &(offset, count), mapped.notify(offset, count)))
        },
    )?;
    Ok(atomics)
}

/// Defines what is done to words of one size: load, store, change, compare and exchange.
fn define_words<T: 'static, W>(
    atomics: &mut LinkerInstance<'_, T>,
    get: Access<T>,
    [load, store, change, compare]: [&'static str; 4],
) -> Result<()>
where
    W: Word + ComponentType + Lift + Lower + Debug + Send + Sync + 'static,
{
    atomics.func_wrap(load, move |mut data: StoreContextMut<'_, T>, params: (Handle, u64)| {
        let (this, offset) = params;
        let _span = trace_span!("load", mapping = this.rep(), offset).entered();
        let call = Call::new(load);
        let view = get.view(data.data_mut());
        let mapped = view.mapped(&this)?;
        Ok(call.on(mapped, &offset, mapped.load::<W>(offset)))
    })?;
    atomics.func_wrap(
        store,
        move |mut data: StoreContextMut<'_, T>, params: (Handle, u64, W)| {
            let (this, offset, value) = params;
            let _span = trace_span!("store", mapping = this.rep(), offset).entered();
            let call = Call::new(store);
            let view = get.view(data.data_mut());
            let mapped = view.mapped(&this)?;
            Ok(call.on(mapped, &(offset, value), mapped.store(offset, value)))
        },
    )?;
    atomics.func_wrap(
        change,
        move |mut data: StoreContextMut<'_, T>,
              (this, offset, how, value): (Handle, u64, Change, W)| {
            let _span = trace_span!("change", mapping = this.rep(), offset).entered();
            let call = Call::new(change);
            let view = get.view(data.data_mut());
            let mapped = view.mapped(&this)?;
            let result = mapped.change(offset, how.into(), value);
            Ok(call.on(mapped, &(offset, how, value), result))
        },
    )?;
    atomics.func_wrap(
        compare,
        move |mut data: StoreContextMut<'_, T>,
              (this, offset, expected, new): (Handle, u64, W, W)| {
            let _span = trace_span!("compare-exchange", mapping = this.rep(), offset).entered();
            let call = Call::new(compare);
            let view = get.view(data.data_mut());
            let mapped = view.mapped(&this)?;
            let before = mapped.compare_exchange(offset, expected, new);
            let result = before.map(|before| before.unwrap_or_else(|before| before));
            Ok(call.on(mapped, &(offset, expected, new), result))
        },
    )
}

/// How long a guest wants to wait, and how long it does at this stretch.
#[derive(Clone, Copy)]
struct Time {
    since: Instant,
    wanted: Option<u64>,
    stretch: Duration,
}

impl Time {
    fn new(wanted: Option<u64>) -> Time {
        let stretch = wanted.map_or(STRETCH, |wanted| Duration::from_nanos(wanted).min(STRETCH));
        Time { since: Instant::now(), wanted, stretch }
    }

    /// What the guest is told, which may have more time than its stretch.
    fn outcome(self, waited: Waited) -> Outcome {
        match (waited, self.wanted) {
            (Waited::Woken, _) => Outcome::Woken,
            (Waited::NotEqual, _) => Outcome::NotEqual,
            (Waited::TimedOut, None) => Outcome::Again(None),
            (Waited::TimedOut, Some(wanted)) => {
                let left = Duration::from_nanos(wanted).saturating_sub(self.since.elapsed());
                match u64::try_from(left.as_nanos()) {
                    Ok(left @ 1..) => Outcome::Again(Some(left)),
                    _ => Outcome::TimedOut,
                }
            }
        }
    }
}

fn begin<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    (this, offset, expected, _): &WaitParams,
    time: Time,
) -> Result<StdResult<StdResult<mapping::Waiting, Waited>, Error>> {
    let view = get.view(store.data_mut());
    Ok(view.mapped(this)?.waiting(*offset, *expected, Some(time.stretch)))
}

fn answer<T: 'static>(
    call: Call,
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    (this, offset, expected, timeout): &WaitParams,
    result: StdResult<Outcome, Error>,
) -> Result<Answer<Outcome>> {
    let view = get.view(store.data_mut());
    Ok(call.on(view.mapped(this)?, &(offset, expected, timeout), result))
}

impl From<Change> for mapping::Change {
    fn from(change: Change) -> mapping::Change {
        match change {
            Change::Add => mapping::Change::Add,
            Change::And => mapping::Change::And,
            Change::Or => mapping::Change::Or,
            Change::Xor => mapping::Change::Xor,
            Change::Exchange => mapping::Change::Exchange,
        }
    }
}
