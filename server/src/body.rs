//! A body that breaks off when what sends it hangs, so that whoever asked doesn't wait for ever.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::time::Sleep;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Has a response's body break off if more of it has to be waited for after `until`.
pub(crate) fn breaks_off(
    response: Response<HyperOutgoingBody>,
    until: Instant,
) -> Response<HyperOutgoingBody> {
    response.map(|body| {
        let end = Box::pin(tokio::time::sleep_until(until.into()));
        Bounded { body, end }.boxed_unsync()
    })
}

struct Bounded {
    body: HyperOutgoingBody,
    end: Pin<Box<Sleep>>,
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.end.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::HttpResponseTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use std::time::Duration;

    /// A body that never comes.
    struct Hangs;

    impl Body for Hangs {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_hangs_breaks_off() {
        let until = Instant::now() + Duration::from_millis(1);
        let body = breaks_off(Response::new(Hangs.boxed_unsync()), until).into_body();
        assert!(matches!(body.collect().await, Err(Error::HttpResponseTimeout)));
    }

    #[tokio::test]
    async fn a_body_that_is_there_is_sent_at_any_time() {
        let whole = Full::new(Bytes::from("all")).map_err(|never| match never {}).boxed_unsync();
        let body = breaks_off(Response::new(whole), Instant::now()).into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "all");
    }
}
