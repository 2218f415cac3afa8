//! What the server answers itself: its page, its metrics, and in place of a guest that failed.

use crate::guests::Failure;
use crate::metrics::{Metrics, Reason};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// The page at `/`: all in one file, nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

/// What the page says of its timings in a build that is not for measuring.
const DEBUG_NOTE: &str = "<p class=\"note\">This server was built without optimisations: for \
                          timings that mean something, <code>cargo xtask serve --release</code>.</p>";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer to what is the server's own to answer; `None` to what is the component's.
pub(crate) fn own(
    method: &Method,
    path: &str,
    metrics: &Metrics,
) -> Option<Response<HyperOutgoingBody>> {
    let answer: fn(&Metrics) -> (&'static str, Bytes) = match path {
        "/" => |_| (HTML, page().into()),
        "/metrics" => |metrics| (PROMETHEUS, metrics.render().into()),
        "/healthz" => |_| (TEXT, "ok\n".into()),
        _ => return None,
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refused =
            respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET and HEAD only\n".into());
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refused);
    }
    let (kind, body) = answer(metrics);
    Some(respond(StatusCode::OK, kind, body))
}

fn page() -> String {
    let note = if cfg!(debug_assertions) { DEBUG_NOTE } else { "" };
    PAGE.replace("<!-- build -->", note)
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
