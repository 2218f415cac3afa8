//! A request, from the instance that is made for it to its answer.

use crate::args::Args;
use crate::engine;
use crate::metrics::{Metrics, Reason};
use crate::state::{State, Template};
use anyhow::{Result, anyhow};
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::oneshot::{self, Receiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Instrument, Span, debug, warn};
use wasmtime::component::Linker;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// How much longer than its time a guest that waits in the host is waited for. One that computes
/// is ended by its engine's clock.
const SLACK: Duration = Duration::from_millis(100);

/// The component, and what its requests are held to.
pub(crate) struct Guests {
    component: ProxyPre<State>,
    template: Template,
    slots: Arc<Semaphore>,
    all_slots: u32,
    waiting: AtomicU32,
    max_waiting: u32,
    time: Duration,
    metrics: Arc<Metrics>,
}

/// Why a request was not answered by a guest.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) cause: String,
}

impl Failure {
    fn new(reason: Reason, cause: impl fmt::Display) -> Failure {
        Failure { reason, cause: cause.to_string() }
    }
}

type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;
type Run = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

impl Guests {
    /// Compiles the component and gives it what it imports.
    pub(crate) fn new(args: &Args, metrics: Arc<Metrics>) -> Result<Guests> {
        let template = Template::new(args)?;
        let component = engine::compile(args)?;
        let mut linker = Linker::<State>::new(component.engine());
        let linked = wasmtime_wasi::p2::add_to_linker_async(&mut linker)
            .and_then(|()| wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker))
            .and_then(|()| iommap::add_to_linker_async(&mut linker, iommap::IommapView::iommap))
            .and_then(|()| ProxyPre::new(linker.instantiate_pre(&component)?));
        let path = args.component.display();
        Ok(Guests {
            component: linked.map_err(|error| {
                anyhow!(
                    "{path} is no wasi:http/proxy component that this server can run: {error:#}"
                )
            })?,
            template,
            slots: Arc::new(Semaphore::new(args.max_instances.get() as usize)),
            all_slots: args.max_instances.get(),
            waiting: AtomicU32::new(0),
            max_waiting: args.max_waiting,
            time: args.request_time,
            metrics,
        })
    }

    /// Has a guest answer a request.
    ///
    /// If the answer comes before the guest has returned, the guest goes on beside it: its body
    /// may still be on the way.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<HyperOutgoingBody>, Failure> {
        let deadline = Instant::now() + self.time;
        let slot = self.slot(deadline).await?;
        let (mut run, mut sent) = self
            .start(request, deadline, slot)
            .map_err(|error| Failure::new(Reason::Setup, format_args!("{error:#}")))?;
        // Most guests return without ever having waited: then all is done in this one step.
        tokio::select! {
            biased;
            ended = &mut run => match (sent.try_recv(), ended) {
                (Ok(sent), ended) => {
                    note(&self.metrics, ended);
                    answered(sent)
                }
                (Err(_), Ok(())) => Err(Failure::new(Reason::Silent, "the guest gave no answer")),
                (Err(_), Err(failure)) => Err(failure),
            },
            Ok(sent) = &mut sent => {
                let metrics = self.metrics.clone();
                let rest = async move { note(&metrics, run.await) };
                tokio::spawn(rest.instrument(Span::current()));
                answered(sent)
            }
        }
    }

    /// Waits for a place in the pool.
    async fn slot(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        let _waiting = Waiting::join(&self.waiting, self.max_waiting)
            .ok_or_else(|| Failure::new(Reason::Busy, "too many requests wait already"))?;
        tokio::time::timeout_at(deadline.into(), self.slots.clone().acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| Failure::new(Reason::Busy, "its turn did not come in time"))
    }

    /// Makes a store for a request. What runs the guest in it owns it; the answer comes apart.
    fn start(
        &self,
        request: Request<Incoming>,
        deadline: Instant,
        slot: OwnedSemaphorePermit,
    ) -> wasmtime::Result<(Run, Receiver<Sent>)> {
        let iommap = self.template.iommap();
        let entry = self.metrics.enter(iommap.account());
        let state = self.template.state(iommap, deadline, entry)?;
        let mut seat = Seat { store: Store::new(self.component.engine(), state), _slot: slot };
        let store = &mut seat.store;
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        // Whenever the clock ticks the guest gives way to others, unless its time is over.
        store.epoch_deadline_callback(|store| {
            if Instant::now() < store.data().deadline {
                Ok(UpdateDeadline::Yield(1))
            } else {
                Err(OutOfTime.into())
            }
        });
        let (sender, sent) = oneshot::channel();
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let out = store.data_mut().http().new_response_outparam(sender)?;
        let component = self.component.clone();
        let run = async move {
            // All of it, whatever of it is used: it goes as one.
            let mut seat = seat;
            let store = &mut seat.store;
            let run = async {
                let guest = component.instantiate_async(&mut *store).await?;
                guest.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await
            };
            let ended = tokio::time::timeout_at((deadline + SLACK).into(), run).await;
            let complaint = store.data().stderr.contents();
            if !complaint.is_empty() {
                warn!(stderr = %String::from_utf8_lossy(&complaint).trim_end(), "the guest says");
            }
            ended.unwrap_or_else(|_| Err(OutOfTime.into())).map_err(explain)
        };
        Ok((Box::pin(run), sent))
    }

    /// Waits until no guest runs any more.
    pub(crate) async fn all_done(&self) {
        // It is never closed, so this does not fail.
        _ = self.slots.acquire_many(self.all_slots).await;
    }
}

/// A store with its slot in the pool. What comes first is dropped first: a store gives what it has
/// of the pool back before the slot is anybody else's.
struct Seat {
    store: Store<State>,
    _slot: OwnedSemaphorePermit,
}

/// What a guest sent: an answer, or why it has none.
fn answered(sent: Sent) -> Result<Response<HyperOutgoingBody>, Failure> {
    sent.map_err(|code| Failure::new(Reason::Refused, format_args!("the guest reports {code:?}")))
}

/// Tells of a guest that failed when its answer was on the way: whoever asked sees it break off.
fn note(metrics: &Metrics, ended: Result<(), Failure>) {
    if let Err(failure) = ended {
        metrics.failed(failure.reason);
        warn!(
            reason = failure.reason.name(),
            cause = failure.cause,
            "a guest failed after answering"
        );
    }
}

/// A guest's time is over.
#[derive(Debug)]
struct OutOfTime;

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time for a request is over")
    }
}

impl std::error::Error for OutOfTime {}

/// Why a guest did not return. The log gets the cause, and at `debug` where in the guest it was.
fn explain(error: wasmtime::Error) -> Failure {
    if error.is::<OutOfTime>() {
        return Failure::new(Reason::Time, OutOfTime);
    }
    debug!("where the guest failed: {error:?}");
    Failure::new(Reason::Trap, error.root_cause())
}

/// One that waits, of a limited number.
struct Waiting<'a>(&'a AtomicU32);

impl Waiting<'_> {
    fn join(waiting: &AtomicU32, max: u32) -> Option<Waiting<'_>> {
        let one_more = |now: u32| (now < max).then_some(now + 1);
        waiting.try_update(Relaxed, Relaxed, one_more).ok().map(|_| Waiting(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_full_line_when_another_joins_then_it_is_turned_away_until_one_leaves() {
        let waiting = AtomicU32::new(0);
        let first = Waiting::join(&waiting, 2);
        let second = Waiting::join(&waiting, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Waiting::join(&waiting, 2).is_none());
        drop(first);
        assert!(Waiting::join(&waiting, 2).is_some());
        drop(second);
        assert_eq!(waiting.load(Relaxed), 0);
    }
}
