//! What is answered: JSON, whatever it is.

use serde_json::{Value, json};
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// The most that WASI takes in one call, in bytes.
const CHUNK: usize = 4096;

/// A status code and a body.
pub(crate) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &Value) -> Answer {
        let mut body = body.to_string().into_bytes();
        body.push(b'\n');
        Answer { status, body }
    }

    /// An error: a word for programs, and a reason for people.
    pub(crate) fn error(status: u16, error: &str, reason: &str) -> Answer {
        Answer::new(status, &json!({ "error": error, "reason": reason }))
    }

    /// Sends it. Whoever asked may be gone: then there is nobody to tell.
    pub(crate) fn send(&self, out: ResponseOutparam) {
        let headers = Fields::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("content-length", self.body.len().to_string()),
        ] {
            // They are well-formed, and none that a guest may not set.
            _ = headers.append(name, value.as_bytes());
        }
        let response = OutgoingResponse::new(headers);
        _ = response.set_status_code(self.status);
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let mut chunks = self.body.chunks(CHUNK);
            _ = chunks.try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
        }
        _ = OutgoingBody::finish(body, None);
    }
}
