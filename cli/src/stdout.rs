//! The component's standard output: this process's own, but that nobody reads it any more ends
//! the component, as it does other programs.
//!
//! A program in a pipe (`| head`) is ended by SIGPIPE before it can notice. A component gets an
//! error instead, for which many of them have no better use than a panic.

use bytes::Bytes;
use std::fmt;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Why the component was ended: whoever read its output is gone.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// The standard output of the component.
pub(crate) struct Stdout;

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        IsTerminal::is_terminal(&std::io::stdout())
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        StdoutStream::async_stream(&std::io::stdout())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Ending(StdoutStream::p2_stream(&std::io::stdout())))
    }
}

/// A stream whose end is the component's.
struct Ending(Box<dyn OutputStream>);

fn end<T>(result: StreamResult<T>) -> StreamResult<T> {
    result.map_err(|error| match error {
        StreamError::Closed => StreamError::Trap(ReaderGone.into()),
        other => other,
    })
}

impl OutputStream for Ending {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        end(self.0.write(bytes))
    }

    fn flush(&mut self) -> StreamResult<()> {
        end(self.0.flush())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        end(self.0.check_write())
    }
}

#[async_trait]
impl Pollable for Ending {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}
