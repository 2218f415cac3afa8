//! Locks that a server grants: an async store waits for its answer on a thread for blocking work.
//!
//! A server that hangs keeps such a thread, also when nobody waits for the call any more. The runtime has
//! so many of them for all that waits, so that these calls may take a part only.

use super::super::Handle;
use super::super::access::Access;
use super::super::offload::with_mapped;
use crate::error::{Error, ErrorKind};
use crate::mapping::Mapped;
use std::result::Result as StdResult;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wasmtime::{Result, StoreContextMut};

/// So many calls wait for servers at once. Tokio has 512 threads for blocking work, unless told otherwise.
const MOST: usize = 64;

/// How many there are.
static ASKING: AtomicUsize = AtomicUsize::new(0);

/// One of them, until it is dropped.
struct One;

impl One {
    fn new() -> Option<One> {
        let more = |asking| (asking < MOST).then_some(asking + 1);
        ASKING.try_update(Relaxed, Relaxed, more).ok().map(|_| One)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        ASKING.fetch_sub(1, Relaxed);
    }
}

/// Does what asks for a lock: here, or elsewhere if a server may have to answer. The error is that too
/// many wait for one.
pub(super) async fn ask<T: 'static, R: Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    work: impl FnOnce(&mut Mapped) -> R + Send + 'static,
) -> Result<StdResult<R, Error>> {
    let mut view = get.view(store.data_mut());
    let mapped = view.mapped_mut(this)?;
    if mapped.has_own_locks() {
        return Ok(Ok(work(mapped)));
    }
    let Some(one) = One::new() else {
        let reason = format!("{MOST} calls wait for servers of file systems to answer about locks");
        return Ok(Err(Error::because(ErrorKind::LimitExceeded, reason)));
    };
    let work = move |mapped: &mut Mapped| {
        let _one = one;
        work(mapped)
    };
    with_mapped(store, get, this, work).await.map(Ok)
}
