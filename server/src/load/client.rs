//! Asking, and holding each answer to the truth.

use crate::disturb::{Change, Moment, Scene};
use crate::tally::{Kind, Tally};
use crate::truth::{Asked, Truth};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::TcpStream;

/// What is asked, and whom.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) truth: &'a Truth,
    pub(crate) scene: &'a Scene,
    pub(crate) connections: u32,
}

impl Load<'_> {
    /// Makes requests on all connections at once until it is time.
    pub(crate) async fn ask(&self, until: Instant) -> Result<Tally> {
        let tally = Tally::new();
        self.ask_into(&tally, until).await?;
        Ok(tally)
    }

    /// The same, into a tally that can be looked at meanwhile.
    pub(crate) async fn ask_into(&self, tally: &Tally, until: Instant) -> Result<()> {
        let clients = (1..=self.connections).map(|seed| self.one(seed, tally, until));
        futures_util::future::try_join_all(clients).await.map(drop)
    }

    async fn one(&self, seed: u32, tally: &Tally, until: Instant) -> Result<()> {
        let Load { server, truth, scene, .. } = self;
        let mut connection = connect(*server).await?;
        let mut random = Rng::with_seed(u64::from(seed));
        loop {
            let begin = Instant::now();
            if begin >= until {
                return Ok(());
            }
            let asked = truth.draw(&mut random);
            let before = scene.now();
            let (code, body) = get(&mut connection, *server, &asked.target).await?;
            let (took, after) = (begin.elapsed(), scene.now());
            let kind = judge(asked, code, &body, (before, after), scene);
            let told = || format!("{}: {code} {body}", asked.target);
            tally.note(kind, (before, after), took, told);
        }
    }
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
    (before, after): (Change, Change),
    scene: &Scene,
) -> Kind {
    if code == 503 && body.contains("\"error\":\"database-unavailable\"") {
        return Kind::Error;
    }
    let made = |content| body.contains(&format!("\"built\":{},", scene.built(content)));
    let of_the_file = match before.moment {
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
