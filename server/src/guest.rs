//! One guest: its store, the call of its handler, and why it did not return.

use crate::failure::{Failure, Reason};
use crate::places::Place;
use crate::state::{State, Template};
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::oneshot::{self, Receiver};
use tracing::{debug, warn};
use wasmtime::component::Resource;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

/// How much longer than its time a guest that waits in the host is waited for. One that computes
/// is ended by its engine's clock.
const SLACK: Duration = Duration::from_millis(100);

/// What a guest sends: an answer, or why it has none.
pub(crate) type Sent = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// A guest that is about to run. What comes first is dropped first: the store gives back what it
/// has of the pool before its place is anybody else's.
pub(crate) struct Guest {
    store: Store<State>,
    request: Resource<HostIncomingRequest>,
    out: Resource<HostResponseOutparam>,
    _place: Place,
}

impl Guest {
    /// Makes a store for a request. What the guest sends comes apart.
    pub(crate) fn new(
        template: &Template,
        component: &ProxyPre<State>,
        request: Request<Incoming>,
        deadline: Instant,
        place: Place,
    ) -> wasmtime::Result<(Guest, Receiver<Sent>)> {
        let mut store = Store::new(component.engine(), template.state(deadline)?);
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        // Whenever the clock ticks the guest gives way to whoever watches it on its thread, unless
        // its time is over.
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
        Ok((Guest { store, request, out, _place: place }, sent))
    }

    /// Runs it to its end, or to the end of its time.
    pub(crate) async fn run(self, component: &ProxyPre<State>) -> Result<(), Failure> {
        let Guest { mut store, request, out, _place } = self;
        let limit = store.data().deadline + SLACK;
        let run = async {
            let guest = component.instantiate_async(&mut store).await?;
            guest.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
        };
        let ended = tokio::time::timeout_at(limit.into(), run).await;
        let complaint = store.data().stderr.contents();
        if !complaint.is_empty() {
            warn!(stderr = %String::from_utf8_lossy(&complaint).trim_end(), "the guest says");
        }
        // The store first, and all of it before anybody hears of the end.
        drop(store);
        ended.unwrap_or_else(|_| Err(OutOfTime.into())).map_err(explain)
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
