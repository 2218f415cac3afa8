//! Connections: how they are accepted, and how they end.

use crate::answers;
use crate::args::Args;
use crate::server::Server;
use crate::signals::Signals;
use anyhow::{Context, Result};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use std::convert::Infallible;
use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, info, info_span, warn};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// How long a client may take to send a request's head.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long nothing is accepted after accepting failed, as it does when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

impl Server {
    /// Serves until a signal says stop, and then for as long as requests go on, within the grace
    /// time. Tells whether every request was answered.
    pub(crate) async fn run(self: Arc<Self>, args: &Args) -> Result<bool> {
        let mut signals = Signals::new().context("signals cannot be handled")?;
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("cannot listen on {}", args.listen))?;
        announce(listener.local_addr().context("the listener has no address")?)?;
        tokio::spawn(self.guests.clone().make_room());
        tokio::spawn({
            let server = self.clone();
            async move { server.history.go_on(&server.metrics).await }
        });

        let connections = GracefulShutdown::new();
        let stop = async {
            let name = signals.next().await;
            self.stopping.store(true, Relaxed);
            info!(signal = name, "stopping");
            if args.drain_time.is_zero() {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep(args.drain_time) => false,
                _ = signals.next() => true,
            }
        };
        let at_once = tokio::select! {
            () = self.clone().accept(&listener, &connections, args) => false,
            at_once = stop => at_once,
        };
        drop(listener);
        info!("no more connections");

        let done = async {
            connections.shutdown().await;
            self.guests.all_done().await;
        };
        let grace_time = if at_once { Duration::ZERO } else { args.grace_time };
        let drained = tokio::select! {
            in_time = tokio::time::timeout(grace_time, done) => in_time.is_ok(),
            _ = signals.next() => false,
        };
        let requests = self.requests.load(Relaxed);
        if drained {
            info!(requests, "stopped: every request was answered");
        } else {
            warn!(requests, "stopped: requests were cut off");
        }
        Ok(drained)
    }

    /// Accepts connections for ever.
    async fn accept(
        self: Arc<Self>,
        listener: &TcpListener,
        connections: &GracefulShutdown,
        args: &Args,
    ) {
        let places = Arc::new(Semaphore::new(args.max_connections.get() as usize));
        loop {
            // It is never closed, so there is one sooner or later.
            let Ok(place) = places.clone().acquire_owned().await else { pending().await };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = connections.watch(self.clone().connection(stream));
                    let counted = self.metrics.connection();
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            debug!(%peer, %error, "a connection broke off");
                        }
                        drop((counted, place));
                    });
                }
                Err(error) => {
                    warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn connection(
        self: Arc<Self>,
        stream: TcpStream,
    ) -> impl GracefulConnection<Error = hyper::Error> {
        // Answers are small and written whole: waiting for more would only delay them.
        _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.handle(request).await) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .serve_connection(TokioIo::new(stream), service)
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        let begin = Instant::now();
        let id = self.requests.fetch_add(1, Relaxed) + 1;
        let span = info_span!("request", id);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (by, response) = match answers::own(&method, uri.path(), self) {
            Some(response) => ("server", response),
            None => ("guest", self.ask_guest(request).instrument(span.clone()).await),
        };
        let (code, took) = (response.status().as_u16(), begin.elapsed());
        // Looking at the server is no part of what is looked at.
        if by == "guest" {
            self.metrics.answered(code, took);
            self.history.answered(code, took);
        }
        let micros = took.as_micros() as u64;
        span.in_scope(|| {
            info!(%method, path = uri.path(), code, micros, by, "answered");
            debug!(query = uri.query(), "asked");
        });
        response
    }

    async fn ask_guest(&self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        match self.guests.answer(request).await {
            Ok(response) => response,
            Err(failure) => {
                self.metrics.failed(failure.reason);
                warn!(
                    reason = failure.reason.name(),
                    cause = failure.cause,
                    "not answered by a guest"
                );
                answers::failed(&failure)
            }
        }
    }
}

/// Says where the server listens: to people in the log, to programs on standard output.
fn announce(address: SocketAddr) -> Result<()> {
    info!(%address, "listening");
    let mut stdout = std::io::stdout();
    writeln!(stdout, "http://{address}/")
        .and_then(|()| stdout.flush())
        .context("the address cannot be written to standard output")
}
