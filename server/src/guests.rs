//! A request, from the place and the thread that it gets to its answer.
//!
//! Each guest has a thread to itself while it runs: a file that doesn't answer holds that thread,
//! and never one that serves connections.

use crate::args::Args;
use crate::body;
use crate::engine;
use crate::failure::{Failure, Reason};
use crate::guest::{Guest, Sent};
use crate::metrics::Metrics;
use crate::places::{Full, Place, Places};
use crate::state::{State, Template};
use anyhow::{Result, anyhow};
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot::{self, Sender};
use tracing::{Instrument, Span, warn};
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// How much longer than its time a request may take before it is held to hang.
const HANGS: Duration = Duration::from_millis(500);

/// How often it is looked for requests that hang.
const LOOK: Duration = Duration::from_millis(50);

type Answer = Result<Response<HyperOutgoingBody>, Failure>;

/// The component, and what its requests are held to.
pub(crate) struct Guests {
    component: ProxyPre<State>,
    template: Template,
    places: Arc<Places>,
    time: Duration,
    metrics: Arc<Metrics>,
}

impl Guests {
    /// Compiles the component and gives it what it imports.
    pub(crate) fn new(args: &Args, metrics: Arc<Metrics>) -> Result<Guests> {
        let template = Template::new(args, metrics.usages.clone())?;
        let component = engine::compile(args)?;
        let mut linker = Linker::<State>::new(component.engine());
        let linked = wasmtime_wasi::p2::add_to_linker_async(&mut linker)
            .and_then(|()| wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker))
            .and_then(|()| iommap::add_to_linker(&mut linker, iommap::IommapView::iommap))
            .and_then(|()| {
                iommap::locks::add_to_linker_async(&mut linker, iommap::IommapView::iommap)
            })
            .and_then(|()| {
                iommap::changes::add_to_linker_async(&mut linker, iommap::IommapView::iommap)
            })
            // The pool of memories rules windows out, but what can do without them should link.
            .and_then(|()| iommap::windows::add_to_linker(&mut linker, iommap::IommapView::iommap))
            .and_then(|()| iommap::storage::add_to_linker(&mut linker, iommap::IommapView::iommap))
            .and_then(|()| ProxyPre::new(linker.instantiate_pre(&component)?));
        let component = linked.map_err(|error| {
            let path = args.component();
            anyhow!(
                "{} is no wasi:http/proxy component that this server can run: {error:#}",
                path.display()
            )
        })?;
        let places = Places::new(args, metrics.hung.clone());
        Ok(Guests { component, template, places, time: args.request_time, metrics })
    }

    /// Has a guest answer a request.
    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        let deadline = Instant::now() + self.time;
        let until = deadline + HANGS;
        let place = self.places.take(deadline, until).await.map_err(|full| {
            let cause = match full {
                Full::Queue => "too many requests wait already",
                Full::Time => "its turn did not come in time",
            };
            Failure::new(Reason::Busy, cause)
        })?;
        let (sender, answer) = oneshot::channel();
        let (guests, span) = (self.clone(), Span::current());
        tokio::task::spawn_blocking(move || {
            let run = guests.run(request, deadline, place, sender);
            Handle::current().block_on(run.instrument(span));
        });
        match tokio::time::timeout_at(until.into(), answer).await {
            Ok(Ok(answer)) => answer.map(|response| body::breaks_off(response, until)),
            Ok(Err(_)) => Err(Failure::new(Reason::Setup, "its thread broke down")),
            Err(_) => {
                // Before its client hears of it and asks again.
                self.places.free_those_that_hang();
                Err(Failure::new(Reason::Time, "it hangs, perhaps on a file"))
            }
        }
    }

    /// Runs a guest, on its thread, and sends its answer.
    ///
    /// If the answer comes before the guest has returned, the guest goes on: its body may still be
    /// on the way.
    async fn run(
        &self,
        request: Request<Incoming>,
        deadline: Instant,
        place: Place,
        mut answer: Sender<Answer>,
    ) {
        let made = Guest::new(&self.template, &self.component, request, deadline, place);
        let (guest, mut sent) = match made {
            Ok(made) => made,
            Err(error) => {
                let failure = Failure::new(Reason::Setup, format_args!("{error:#}"));
                // Where nobody waits for it any more, there is nobody to tell; so below.
                _ = answer.send(Err(failure));
                return;
            }
        };
        let mut guest = pin!(guest.run(&self.component));
        // Most guests return without ever having waited: then all is done in this one step.
        tokio::select! {
            biased;
            ended = &mut guest => {
                let answered = match (sent.try_recv(), ended) {
                    (Ok(sent), ended) => {
                        self.note(ended);
                        answered(sent)
                    }
                    (Err(_), Ok(())) => {
                        Err(Failure::new(Reason::Silent, "the guest gave no answer"))
                    }
                    (Err(_), Err(failure)) => Err(failure),
                };
                _ = answer.send(answered);
            }
            Ok(sent) = &mut sent => {
                _ = answer.send(answered(sent));
                self.note(guest.await);
            }
            // Whoever asked is gone, and the guest goes with this.
            () = answer.closed() => {}
        }
    }

    /// Tells of a guest that failed when its answer was on the way: whoever asked sees it break
    /// off.
    fn note(&self, ended: Result<(), Failure>) {
        if let Err(Failure { reason, cause }) = ended {
            self.metrics.failed(reason);
            warn!(reason = reason.name(), cause, "a guest failed after answering");
        }
    }

    /// Has requests that hang make room for others, for as long as the server runs.
    pub(crate) async fn make_room(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.places.free_those_that_hang();
        }
    }

    /// Waits until no guest runs any more, but for those that hang.
    pub(crate) async fn all_done(&self) {
        self.places.all_left().await;
    }
}

/// What a guest sent: an answer, or why it has none.
fn answered(sent: Sent) -> Answer {
    sent.map_err(|code| Failure::new(Reason::Refused, format_args!("the guest reports {code:?}")))
}
