//! What the server answers itself: its page, its numbers, its health, and in place of a guest that
//! failed.

use crate::failure::{Failure, Reason};
use crate::metrics;
use crate::page;
use crate::server::Server;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The answer to what is the server's own to answer; `None` to what is the component's.
pub(crate) fn own(
    method: &Method,
    path: &str,
    server: &Server,
) -> Option<Response<HyperOutgoingBody>> {
    let answer: fn(&Server) -> Response<HyperOutgoingBody> = match path {
        "/" => |_| respond(StatusCode::OK, HTML, page::whole().into()),
        "/history" => |server| respond(StatusCode::OK, JSON, server.history.render().into()),
        "/metrics" => {
            |server| respond(StatusCode::OK, metrics::CONTENT_TYPE, server.metrics.render().into())
        }
        "/healthz" => |_| respond(StatusCode::OK, TEXT, "ok\n".into()),
        "/readyz" => readiness,
        _ => return None,
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refused =
            respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET and HEAD only\n".into());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refused);
    }
    Some(answer(server))
}

/// 503, with the reasons, unless every file is mapped and the server goes on.
fn readiness(server: &Server) -> Response<HyperOutgoingBody> {
    let missing = server.keeper.missing();
    let mut reasons: String =
        missing.iter().map(|(path, why)| format!("{path}: {why}\n")).collect();
    if server.is_stopping() {
        reasons.push_str("stopping\n");
    }
    match reasons.is_empty() {
        true => respond(StatusCode::OK, TEXT, "ready\n".into()),
        false => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons.into()),
    }
}

/// The answer in place of a guest that gave none. What went wrong in it is for the log.
pub(crate) fn failed(failure: &Failure) -> Response<HyperOutgoingBody> {
    let (code, error, reason) = match failure.reason {
        Reason::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests at once"),
        Reason::Time => (StatusCode::GATEWAY_TIMEOUT, "out-of-time", "the request took too long"),
        Reason::Trap | Reason::Silent | Reason::Refused => {
            (StatusCode::BAD_GATEWAY, "guest-failed", "the component failed to answer")
        }
        Reason::Setup => {
            (StatusCode::INTERNAL_SERVER_ERROR, "not-started", "no instance could be set up")
        }
    };
    let body = format!("{{\"error\":\"{error}\",\"reason\":\"{reason}\"}}\n");
    let mut answer = respond(code, JSON, body.into());
    if failure.reason == Reason::Busy {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn respond(code: StatusCode, kind: &'static str, body: Bytes) -> Response<HyperOutgoingBody> {
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
