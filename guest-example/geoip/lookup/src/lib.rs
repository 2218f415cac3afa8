//! Answers `GET /lookup?ip=ADDRESS` from a MaxMind DB file, as a `wasi:http/proxy` component. Its
//! README has the parameters and the answers.
//!
//! [`question`] reads a request, [`sources`] opens the database, either way, [`lookup`] asks it,
//! and [`answer`] says what came of it.

mod answer;
mod lookup;
mod question;
mod sources;

use std::env;

use answer::Answer;
use question::{Question, Via};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

/// Where the database is, if `LOOKUP_DATABASE` does not say.
const DATABASE: &str = "/data/country.mmdb";

struct Lookup;

wasip2::http::proxy::export!(Lookup);

impl Guest for Lookup {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        respond(&request).send(out);
    }
}

fn respond(request: &IncomingRequest) -> Answer {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Answer::error(405, "method-not-allowed", "GET and HEAD only");
    }
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path != "/lookup" {
        return Answer::error(404, "no-such-page", "ask for /lookup?ip=ADDRESS");
    }
    let default_via = match env::var("LOOKUP_VIA").as_deref().map(str::parse) {
        Ok(Ok(via)) => via,
        Ok(Err(reason)) => return Answer::error(503, "misconfigured", reason),
        Err(_) => Via::Iommap,
    };
    let question = match Question::parse(query, default_via) {
        Ok(question) => question,
        Err(reason) => return Answer::error(400, "bad-request", &reason),
    };
    let path = env::var("LOOKUP_DATABASE");
    let path = path.as_deref().unwrap_or(DATABASE);
    match question.via {
        Via::Iommap => lookup::answer(&question, || sources::map(path, question.repeat)),
        Via::Wasi => lookup::answer(&question, || sources::open(path)),
    }
}
