//! Calls that may wait for a device, and where they wait: see [`Waiting`].

use super::Handle;
use super::access::Access;
use super::bindings::types;
use super::log::Call;
use crate::error::Error;
use crate::mapping::{Mapped, Range};
use std::fmt::Debug;
use tracing::trace_span;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

/// What a call does to a mapping, given its arguments.
pub(super) type Work<A> = fn(&mut Mapped, A) -> std::result::Result<(), Error>;

/// Where calls on a mapping wait.
pub(super) trait Waiting<T: 'static> {
    /// Defines a call. `split` parts a guest's parameters into the mapping and the rest.
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
        A: Copy + Debug + Send + 'static;
}

/// Defines every call on a mapping that may wait for a device, but for those that move bytes.
pub(super) fn define<T: 'static, W: Waiting<T>>(
    types: &mut LinkerInstance<'_, T>,
    get: Access<T>,
    waiting: &W,
) -> Result<()> {
    waiting.define(
        types,
        get,
        "[method]mapping.sync",
        |(this, mode): (Handle, types::SyncMode)| (this, mode),
        |mapped, mode| mapped.write_back(None, mode.into())?.run(),
    )?;
    waiting.define(
        types,
        get,
        "[method]mapping.sync-range",
        |(this, offset, length, mode): (Handle, u64, u64, types::SyncMode)| {
            (this, (Range { offset, length }, mode))
        },
        |mapped, (range, mode)| mapped.write_back(Some(range), mode.into())?.run(),
    )?;
    waiting.define(
        types,
        get,
        "[method]mapping.truncate",
        |(this, size): (Handle, u64)| (this, size),
        |mapped, size| mapped.set_len(size),
    )?;
    // `willneed` on a small range reads its pages in at once.
    waiting.define(
        types,
        get,
        "[method]mapping.advise",
        |(this, offset, length, hint): (Handle, u64, u64, types::Advice)| {
            (this, (Range { offset, length }, hint))
        },
        |mapped, (range, hint)| mapped.advise(range.offset, range.length, hint.into()),
    )?;
    // Its last pages go with it.
    waiting.define(
        types,
        get,
        "[method]mapping.close",
        |(this,): (Handle,)| (this, ()),
        |mapped, ()| mapped.close().map(drop),
    )
}

/// They wait on the guest's thread.
pub(super) struct Here;

impl<T: 'static> Waiting<T> for Here {
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
        types.func_wrap(name, move |mut store: StoreContextMut<'_, T>, params: P| {
            let (this, arguments) = split(params);
            let _span = trace_span!("call", name, mapping = this.rep()).entered();
            let call = Call::new(name);
            let mut view = get.view(store.data_mut());
            let mapped = view.mapped_mut(&this)?;
            let result = work(mapped, arguments);
            Ok(call.on(mapped, &arguments, result))
        })
    }
}
