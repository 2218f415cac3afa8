//! `iommap:mmap/changes`: what has become of mapped files, for both kinds of store.
//!
//! A path is looked up by the grants of the context that has opened the mapping, and by no others:
//! where the import's context is another one, the mapping has no path.

use super::abi::ReadReply;
use super::access::Access;
use super::bindings::changes::{Differences, FileState as State, Outcome};
#[cfg(feature = "async")]
use super::linker::AsyncOptions;
use super::linker::answer_opened;
use super::log::Call;
#[cfg(feature = "async")]
use super::offload::{self, elsewhere, with_mapped};
use super::opener::{Find, Opener};
use super::{Answer, Getter, Handle, Import, MappingHandle};
use crate::error::{Error, ErrorKind};
use crate::grants::Grants;
use crate::mapping::{AtPath, Changed, FileState, Mapped, Next, OpenOptions, Range, WaitForChange};
use std::result::Result as StdResult;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "async")]
use tracing::Instrument;
use tracing::trace_span;
use wasmtime::component::{Linker, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

const CHANGES: &str = "iommap:mmap/changes@0.1.0";
const CHANGED: &str = "changed";
const FILE_LENGTH: &str = "file-length";
const REMAP: &str = "remap";
pub(super) const READ_UP_TO: &str = "read-up-to";
pub(super) const READ_STRICT: &str = "read-strict";
const WAIT: &str = "wait-for-change";

/// What a guest without watches may be refused as `enotsup`.
pub(super) const CALLS: &[&str] = &[CHANGED, FILE_LENGTH, READ_STRICT, REMAP, WAIT];

/// Adds `iommap:mmap/changes` to a linker, for stores of either kind, beside what
/// [`add_to_linker`](crate::add_to_linker) adds: a guest that waits for a change holds its thread. For
/// an async store see
#[cfg_attr(feature = "async", doc = "[`add_to_linker_async`].")]
#[cfg_attr(not(feature = "async"), doc = "`add_to_linker_async` (feature `async`).")]
///
/// Unless [`max_watches`](crate::IommapCtxBuilder::max_watches) is set, `changed`, `remap` and
/// `wait-for-change` are `enotsup`; `file-length` and `read-strict` work where a mapping keeps its file
/// anyway, to change it, for locks or for windows. A guest that waits comes back to its own code many times a
/// second, so that its store's epoch or fuel can end it.
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
    let mut changes = linker.instance(CHANGES)?;
    define_reads(&mut changes, get)?;
    changes.func_wrap(
        FILE_LENGTH,
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let _span = trace_span!("file-length", mapping = this.rep()).entered();
            let call = Call::new(FILE_LENGTH);
            let view = get.view(store.data_mut());
            let mapped = view.mapped(&this)?;
            Ok(call.on(mapped, &(), mapped.file_len()))
        },
    )?;
    let find = import.find.clone();
    changes.func_wrap(CHANGED, move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
        let _span = trace_span!("changed", mapping = this.rep()).entered();
        let call = Call::new(CHANGED);
        let grants = grants_of(&mut store, get, &find, &this)?;
        let view = get.view(store.data_mut());
        let mapped = view.mapped(&this)?;
        Ok(call.on(mapped, &(), look(mapped, grants.as_deref()).map(State::from)))
    })?;
    let find = import.find.clone();
    changes.func_wrap(REMAP, move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
        let _span = trace_span!("remap", mapping = this.rep()).entered();
        let call = Call::new(REMAP);
        match Remap::new(&mut store, get, &find, &this)? {
            Ok(remap) => {
                let opened = remap.open();
                remap.answer(call, &mut store, get, opened)
            }
            Err(error) => refuse(call, &mut store, get, &this, error),
        }
    })?;
    let find = import.find.clone();
    changes.func_wrap(WAIT, move |mut store: StoreContextMut<'_, T>, params: WaitParams| {
        let (this, known, wait) = params;
        let _span = trace_span!("wait-for-change", mapping = this.rep()).entered();
        let call = Call::new(WAIT);
        let grants = grants_of(&mut store, get, &find, &this)?;
        let mut waiting = waiting(known, wait);
        let view = get.view(store.data_mut());
        let mapped = view.mapped(&this)?;
        let result = loop {
            let seen = look(mapped, grants.as_deref());
            match seen.and_then(|state| waiting.step(mapped, state)) {
                Ok(Next::Wait(until)) => waiting.wait_here(until),
                Ok(Next::Over(changed)) => break Ok(Outcome::from(changed)),
                Err(error) => break Err(error),
            }
        };
        Ok(call.on(mapped, &wait, result))
    })
}

/// Adds `iommap:mmap/changes` to a linker for async stores: files and paths are asked on a thread for
/// blocking work, and a guest that waits for a change holds no thread. A call must run
/// within a tokio runtime, which needs no timers. Reads stay on the executor's thread; by
/// [`Import::with_changes`] large ones are held to [`AsyncOptions::offload_above`].
///
/// # Errors
///
/// The linker has a definition of the interface already.
#[cfg(feature = "async")]
pub fn add_to_linker_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: Getter<T>,
) -> Result<()> {
    add_async(linker, &Import::new(get), AsyncOptions::default())
}

/// The same, for whatever import.
#[cfg(feature = "async")]
pub(super) fn add_async<T: Send + 'static>(
    linker: &mut Linker<T>,
    import: &Import<T>,
    options: AsyncOptions,
) -> Result<()> {
    let get = import.access;
    let mut changes = linker.instance(CHANGES)?;
    match options.offload_above {
        None => define_reads(&mut changes, get)?,
        Some(bytes) => offload::define_reads(&mut changes, get, bytes)?,
    }
    changes.func_wrap_async(
        FILE_LENGTH,
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let span = trace_span!("file-length", mapping = this.rep());
            let future = async move {
                let call = Call::new(FILE_LENGTH);
                let work = |mapped: &mut Mapped| mapped.file_len();
                let result = with_mapped(&mut store, get, &this, work).await?;
                Ok(call.on(get.view(store.data_mut()).mapped(&this)?, &(), result))
            };
            Box::new(future.instrument(span))
        },
    )?;
    let find = import.find.clone();
    changes.func_wrap_async(
        CHANGED,
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let span = trace_span!("changed", mapping = this.rep());
            let grants = grants_of(&mut store, get, &find, &this);
            let future = async move {
                let call = Call::new(CHANGED);
                let grants = grants?;
                let work = move |mapped: &mut Mapped| look(mapped, grants.as_deref());
                let result = with_mapped(&mut store, get, &this, work).await?;
                let view = get.view(store.data_mut());
                Ok(call.on(view.mapped(&this)?, &(), result.map(State::from)))
            };
            Box::new(future.instrument(span))
        },
    )?;
    let find = import.find.clone();
    changes.func_wrap_async(
        REMAP,
        move |mut store: StoreContextMut<'_, T>, (this,): (Handle,)| {
            let span = trace_span!("remap", mapping = this.rep());
            let remap = Remap::new(&mut store, get, &find, &this);
            let future = async move {
                let call = Call::new(REMAP);
                match remap? {
                    Ok(remap) => {
                        let (remap, opened) = elsewhere(remap.opener.may_block, move || {
                            let opened = remap.open();
                            (remap, opened)
                        })
                        .await?;
                        remap.answer(call, &mut store, get, opened)
                    }
                    Err(error) => refuse(call, &mut store, get, &this, error),
                }
            };
            Box::new(future.instrument(span))
        },
    )?;
    let find = import.find.clone();
    changes.func_wrap_async(WAIT, move |mut store: StoreContextMut<'_, T>, params: WaitParams| {
        let (this, known, wait) = params;
        let span = trace_span!("wait-for-change", mapping = this.rep());
        let grants = grants_of(&mut store, get, &find, &this);
        let future = async move {
            let call = Call::new(WAIT);
            let grants = grants?;
            let mut waiting = waiting(known, wait);
            let result = loop {
                let grants = grants.clone();
                // To be told by the system may wait for a server as the look may.
                let work = move |mapped: &mut Mapped| {
                    let seen = look(mapped, grants.as_deref());
                    let next = seen.and_then(|state| waiting.step(mapped, state));
                    (waiting, next)
                };
                let next;
                (waiting, next) = with_mapped(&mut store, get, &this, work).await?;
                match next {
                    Ok(Next::Wait(until)) => waiting.wait(until).await,
                    Ok(Next::Over(changed)) => break Ok(Outcome::from(changed)),
                    Err(error) => break Err(error),
                }
            };
            Ok(call.on(get.view(store.data_mut()).mapped(&this)?, &wait, result))
        };
        Box::new(future.instrument(span))
    })
}

/// `wait-for-change`'s parameters as a guest passes them.
type WaitParams = (Handle, State, Option<u64>);

/// Defines the reads so that they wait for their pages where they are.
fn define_reads<T: 'static>(changes: &mut LinkerInstance<'_, T>, get: Access<T>) -> Result<()> {
    changes.func_wrap(
        READ_UP_TO,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let _span = trace_span!("read-up-to", mapping = this.rep(), offset, length).entered();
            Ok((ReadReply::up_to(&mut store, get, &this, Range { offset, length })?,))
        },
    )?;
    changes.func_wrap(
        READ_STRICT,
        move |mut store: StoreContextMut<'_, T>, (this, offset, length): (Handle, u64, u64)| {
            let _span = trace_span!("read-strict", mapping = this.rep(), offset, length).entered();
            Ok((ReadReply::strict(&mut store, get, &this, Range { offset, length })?,))
        },
    )?;
    Ok(())
}

/// The grants that a mapping's path is looked up in, if there are any.
fn grants_of<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    find: &Find<T>,
    this: &Handle,
) -> Result<Option<Arc<Grants>>> {
    let Opener { grants, usage, .. } = find(store.data_mut())?;
    let view = get.view(store.data_mut());
    Ok(view.mapping(this)?.was_opened_by(&usage).then_some(grants))
}

fn look(mapped: &Mapped, grants: Option<&Grants>) -> StdResult<FileState, Error> {
    match grants {
        Some(grants) => grants.state(mapped),
        None => mapped.state(|| Ok(AtPath::Unknown)),
    }
}

fn waiting(known: State, wait: Option<u64>) -> WaitForChange {
    WaitForChange::new(known.into(), wait.map(Duration::from_nanos), true)
}

fn refuse<T: 'static, R>(
    call: Call,
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    error: Error,
) -> Result<Answer<R>> {
    Ok(call.on(get.view(store.data_mut()).mapped(this)?, &(), Err(error)))
}

/// What is to be mapped anew.
struct Remap {
    path: Box<str>,
    options: OpenOptions,
    opener: Opener,
}

impl Remap {
    fn new<T: 'static>(
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        find: &Find<T>,
        this: &Handle,
    ) -> Result<StdResult<Remap, Error>> {
        let opener = find(store.data_mut())?;
        let view = get.view(store.data_mut());
        let handle = view.mapping(this)?;
        Ok(handle.mapped.again().and_then(|options| {
            if !handle.was_opened_by(&opener.usage) {
                let reason = "the mapping was opened by another context";
                return Err(Error::because(ErrorKind::Enotsup, reason));
            }
            Ok(Remap { path: handle.mapped.name().into(), options, opener })
        }))
    }

    fn open(&self) -> StdResult<MappingHandle, Error> {
        let Remap { path, options, opener } = self;
        MappingHandle::open(opener, |grants, usage| grants.map(usage, path, options))
    }

    fn answer<T: 'static>(
        &self,
        call: Call,
        store: &mut StoreContextMut<'_, T>,
        get: Access<T>,
        opened: StdResult<MappingHandle, Error>,
    ) -> Result<Answer<Handle>> {
        let view = get.view(store.data_mut());
        answer_opened(call, view, &self.opener.usage, &self.path, &self.options, opened)
    }
}

impl From<FileState> for State {
    fn from(state: FileState) -> State {
        let differences = [
            (state.shorter, Differences::SHORTER),
            (state.longer, Differences::LONGER),
            (state.modified, Differences::MODIFIED),
            (state.replaced, Differences::REPLACED),
            (state.gone, Differences::GONE),
        ];
        let there = differences.into_iter().filter(|(is, _)| *is);
        State {
            length: state.length,
            modified_at: state.modified_at,
            differences: there.fold(Differences::empty(), |all, (_, one)| all | one),
        }
    }
}

impl From<State> for FileState {
    fn from(State { length, modified_at, differences }: State) -> FileState {
        FileState {
            length,
            modified_at,
            shorter: differences.contains(Differences::SHORTER),
            longer: differences.contains(Differences::LONGER),
            modified: differences.contains(Differences::MODIFIED),
            replaced: differences.contains(Differences::REPLACED),
            gone: differences.contains(Differences::GONE),
        }
    }
}

impl From<Changed> for Outcome {
    fn from(changed: Changed) -> Outcome {
        match changed {
            Changed::Is(state) => Outcome::Changed(state.into()),
            Changed::Not => Outcome::Same,
            Changed::Again(left) => {
                Outcome::Again(left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX)))
            }
        }
    }
}
