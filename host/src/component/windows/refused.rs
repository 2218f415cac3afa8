//! `iommap:mmap/windows` where there are none: the context is not in the store's data, and what ends a
//! store's windows with the store has no place there. A component that would use them links, is told
//! `enotsup` by each `open`, and goes on by `pread`.

use super::WindowHandle;
use super::calls::{MoveParams, OpenParams, PREFETCH, PrefetchParams, WINDOWS, Window};
use super::plan::Wanted;
use crate::component::Answer;
use crate::component::access::Access;
use crate::component::log::Call;
use crate::error::{Error, ErrorKind};
use crate::mapping::Range;
use tracing::trace_span;
use wasmtime::component::{Linker, ResourceType};
use wasmtime::{Result, StoreContextMut, bail};

/// Defines the interface, in a linker for stores of either kind.
pub(in crate::component) fn refuse<T: 'static>(
    linker: &mut Linker<T>,
    access: Access<T>,
) -> Result<()> {
    let mut windows = linker.instance(WINDOWS)?;
    windows.resource("window", ResourceType::host::<WindowHandle>(), |_, _| none().map(drop))?;
    windows.func_wrap(
        "[static]window.open",
        move |mut store: StoreContextMut<'_, T>, params: OpenParams| {
            let (source, offset, length, region, flags) = params;
            let wanted = Wanted { range: Range { offset, length }, flags };
            let _span = trace_span!("window.open", mapping = source.rep()).entered();
            let call = Call::new("window.open");
            let view = access.view(store.data_mut());
            let mapping = view.mapping(&source)?;
            let refused = wanted.span(mapping).and_then(|span| region.range(span)).and_then(|_| {
                let reason = "the store's context is shared";
                Err::<Window, _>(Error::because(ErrorKind::Enotsup, reason))
            });
            Ok(call.on(&mapping.mapped, &wanted, refused))
        },
    )?;
    windows.func_wrap("[method]window.move-to", |_, _: MoveParams| none())?;
    windows.func_wrap("[method]window.close", |_, _: (Window,)| none())?;
    windows.func_wrap("[method]window.check", |_, _: (Window,)| none())?;
    windows.func_wrap(PREFETCH, |_, _: PrefetchParams| none())
}

/// What becomes of a handle that nobody gave: wasmtime does not let a guest come so far.
fn none() -> Result<Answer<()>> {
    bail!("there are no windows in this store")
}
