//! Locks that a server grants: an async store waits for its answer on a thread for blocking work.
//!
//! A server that hangs keeps such a thread, also when nobody waits for the call any more. The runtime has
//! so many of them for all that waits, so that these calls may take a part only.
//!
//! Without a runtime there are no such threads, and a call waits where it is: locks need no runtime, and a
//! guest's mapping is not to be lost because its file is a server's.

use super::super::Handle;
use super::super::access::Access;
use super::super::offload::with_mapped;
use crate::error::{Error, ErrorKind};
use crate::mapping::process::Own;
use crate::mapping::{Asking, Mapped, Step};
use std::result::Result as StdResult;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::runtime::Handle as Runtime;
use wasmtime::{Result, StoreContextMut};

/// So many calls wait for servers at once. Tokio has 512 threads for blocking work, unless told otherwise.
const MOST: usize = 64;

/// How many there are. A forked child has none of its parent's, and not the threads that they wait on.
static ASKING: Own<AtomicUsize> = Own::new(AtomicUsize::default);

/// One of them, until it is dropped.
struct One(&'static AtomicUsize);

impl One {
    fn new() -> Option<One> {
        let more = |asking| (asking < MOST).then_some(asking + 1);
        let asking = ASKING.get();
        asking.try_update(Relaxed, Relaxed, more).ok().map(|_| One(asking))
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Is the answer waited for where the guest is?
fn answers_here(mapped: &Mapped) -> bool {
    mapped.has_own_locks() || Runtime::try_current().is_err()
}

/// Too many wait.
pub(super) fn refused() -> Error {
    let reason = format!("{MOST} calls wait for servers of file systems to answer about locks");
    Error::because(ErrorKind::LimitExceeded, reason)
}

/// Does what asks about a lock with something: here, or elsewhere if a server may have to answer. The
/// error has that something, where too many wait for one.
pub(super) async fn ask<T: 'static, A: Send + 'static, R: Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    with: A,
    work: impl FnOnce(&mut Mapped, A) -> R + Send + 'static,
) -> Result<StdResult<R, A>> {
    let mut view = get.view(store.data_mut());
    let mapped = view.mapped_mut(this)?;
    if answers_here(mapped) {
        return Ok(Ok(work(mapped, with)));
    }
    let Some(one) = One::new() else { return Ok(Err(with)) };
    let work = move |mapped: &mut Mapped| {
        // Behind the mapping: if nobody waits for the answer any more, the thread drops what it has in this
        // order, and to drop a mapping with locks is to ask the server once more.
        (work(mapped, with), one)
    };
    with_mapped(store, get, this, work).await.map(|(result, _one)| Ok(result))
}

/// One step of asking for a lock. Where too many wait, one that waits anyhow goes on waiting.
pub(super) async fn step<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    asking: Asking,
) -> Result<(Asking, StdResult<Step, Error>)> {
    let work = |mapped: &mut Mapped, mut asking: Asking| {
        let step = asking.step(mapped);
        (asking, step)
    };
    Ok(match ask(store, get, this, asking, work).await? {
        Ok(asked) => asked,
        Err(mut asking) => {
            let put_off = asking.put_off(get.view(store.data_mut()).mapped_mut(this)?);
            (asking, put_off.unwrap_or_else(|| Err(refused())))
        }
    })
}

/// Gives something back likewise. It is never refused: others would wait for what its guest has no more
/// use for. And it takes nobody's place: there are no more such calls than mappings are open.
pub(super) async fn give_back<T: 'static, R: Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    get: Access<T>,
    this: &Handle,
    work: impl FnOnce(&mut Mapped) -> R + Send + 'static,
) -> Result<R> {
    let mut view = get.view(store.data_mut());
    let mapped = view.mapped_mut(this)?;
    if answers_here(mapped) {
        return Ok(work(mapped));
    }
    with_mapped(store, get, this, work).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::process::tests::in_fork;

    #[test]
    fn calls_of_a_forked_process_are_counted_in_it() {
        iommap_child::in_child(|| {
            let mut most = Some([(); MOST].map(|()| One::new().unwrap()));
            assert!(One::new().is_none());
            in_fork(|| {
                let own = [(); MOST].map(|()| One::new().unwrap());
                // What a child has of its parent's gives nothing back.
                drop(most.take());
                assert!(One::new().is_none());
                drop(own);
                assert!(One::new().is_some());
            });
            assert!(One::new().is_none());
        })
        .assert_done();
    }
}
