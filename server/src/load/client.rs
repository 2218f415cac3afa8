//! Asking, and holding each answer to the truth.

use crate::file::{Moment, Scene};
use crate::truth::{Asked, Random, Truth};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;

/// What came of the requests so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    goal: u64,
    taken: AtomicU64,
    found: AtomicU64,
    not_found: AtomicU64,
    /// Errors while the file was cut from the request's beginning to its end.
    cut: AtomicU64,
    /// Errors of requests under which the file was changed.
    under_way: AtomicU64,
    /// Requests under which the file was changed, and that were answered all the same.
    unharmed: AtomicU64,
    wrong: AtomicU64,
    first_wrong: Mutex<Option<String>>,
}

/// What one answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Found,
    NotFound,
    Error,
    Wrong,
}

impl Tally {
    /// A tally of so many requests, none made yet.
    pub(crate) fn new(goal: u64) -> Tally {
        Tally { goal, ..Tally::default() }
    }

    pub(crate) fn done(&self) -> u64 {
        self.answered() + self.disturbed() + self.wrong()
    }

    pub(crate) fn answered(&self) -> u64 {
        self.found() + self.not_found()
    }

    pub(crate) fn found(&self) -> u64 {
        self.found.load(Relaxed)
    }

    pub(crate) fn not_found(&self) -> u64 {
        self.not_found.load(Relaxed)
    }

    pub(crate) fn disturbed(&self) -> u64 {
        self.cut() + self.under_way()
    }

    pub(crate) fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.load(Relaxed)
    }

    pub(crate) fn unharmed(&self) -> u64 {
        self.unharmed.load(Relaxed)
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.wrong.load(Relaxed)
    }

    /// The first answer that was wrong.
    pub(crate) fn first_wrong(&self) -> String {
        let first = self.first_wrong.lock().unwrap_or_else(PoisonError::into_inner);
        first.clone().unwrap_or_default()
    }

    fn take(&self) -> bool {
        self.taken.fetch_add(1, Relaxed) < self.goal
    }

    fn note(
        &self,
        kind: Kind,
        before: (u64, Moment),
        after: (u64, Moment),
        what: impl FnOnce() -> String,
    ) {
        let steady = before == after && before.1 != Moment::Changing;
        let count = match (kind, steady, before.1) {
            (Kind::Found | Kind::NotFound, true, Moment::Cut) => &self.wrong,
            (Kind::Found, ..) => &self.found,
            (Kind::NotFound, ..) => &self.not_found,
            (Kind::Error, true, Moment::Cut) => &self.cut,
            (Kind::Error, false, _) => &self.under_way,
            (Kind::Error, true, _) | (Kind::Wrong, ..) => &self.wrong,
        };
        count.fetch_add(1, Relaxed);
        if std::ptr::eq(count, &self.wrong) {
            let mut first = self.first_wrong.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| {
                format!("{} (the file: {before:?}, then {after:?})", what())
            });
        } else if !steady && kind != Kind::Error {
            self.unharmed.fetch_add(1, Relaxed);
        }
    }
}

/// Makes requests on one connection until there are enough.
pub(crate) async fn ask(
    server: SocketAddr,
    seed: u32,
    truth: Arc<Truth>,
    scene: Arc<Scene>,
    tally: Arc<Tally>,
) -> Result<()> {
    let mut connection = connect(server).await?;
    let mut random = Random(u64::from(seed).wrapping_mul(0x2545_f491_4f6c_dd1d));
    while tally.take() {
        let asked = truth.draw(&mut random);
        let before = scene.now();
        let (code, body) = get(&mut connection, server, &asked.target).await?;
        let after = scene.now();
        let kind = judge(asked, code, &body, before, after, &scene);
        tally.note(kind, before, after, || format!("{}: {code} {body}", asked.target));
    }
    Ok(())
}

/// What the server has counted, by name.
pub(crate) async fn metrics(server: SocketAddr) -> Result<Vec<(String, f64)>> {
    let (code, body) = get(&mut connect(server).await?, server, "/metrics").await?;
    ensure!(code == 200, "/metrics is answered {code}");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Ok(parsed.collect())
}

/// Is it the answer, from the content that the file had?
fn judge(
    asked: &Asked,
    code: u16,
    body: &str,
    before: (u64, Moment),
    after: (u64, Moment),
    scene: &Scene,
) -> Kind {
    if code == 503 && body.contains("\"error\":\"database-unavailable\"") {
        return Kind::Error;
    }
    let made = |content| body.contains(&format!("\"built\":{},", scene.built(content)));
    let of_the_file = match before.1 {
        Moment::Whole(content) if before == after => made(content),
        _ => made(0) || made(1),
    };
    let right = code == asked.code && asked.parts.iter().all(|part| body.contains(part));
    match (right && of_the_file, code) {
        (true, 200) => Kind::Found,
        (true, 404) => Kind::NotFound,
        _ => Kind::Wrong,
    }
}

async fn connect(server: SocketAddr) -> Result<SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(server).await.context("the server cannot be reached")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the sender, and an error of it is one of the request's.
    tokio::spawn(connection);
    Ok(sender)
}

async fn get(
    connection: &mut SendRequest<Empty<Bytes>>,
    server: SocketAddr,
    target: &str,
) -> Result<(u16, String)> {
    let request = Request::get(target).header(HOST, server.to_string()).body(Empty::new())?;
    connection.ready().await.context("the server closed a connection")?;
    let response = connection.send_request(request).await.context("a request was not answered")?;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.context("an answer broke off")?.to_bytes();
    Ok((code, String::from_utf8_lossy(&body).into_owned()))
}
