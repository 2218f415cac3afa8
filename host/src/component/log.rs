//! What the host's log says of a guest's calls.
//!
//! Of a call that is refused the guest gets a code. The operator gets one event of level `debug`,
//! which needs no span around it to be understood: which store, which file, which call with which
//! arguments, the reason, and the `errno` behind the code. What a guest may do as often as it
//! likes is no warning. At level `trace` every call is told of, with how long it took.

use super::Answer;
use super::bindings::types::ErrorCode;
use crate::error::{Error, ErrorKind};
use crate::mapping::Mapped;
use crate::usage::Usage;
use std::fmt::Debug;
use std::io;
use std::time::{Duration, Instant};
use tracing::{Level, debug, enabled, trace};

/// A call of a guest, as the log names it.
#[derive(Clone, Copy)]
pub(super) struct Call {
    name: &'static str,
    /// Present where the log wants to know how long it took.
    begun: Option<Instant>,
}

impl Call {
    /// The call begins now.
    #[inline]
    pub(super) fn new(name: &'static str) -> Call {
        let name = name.strip_prefix("[method]mapping.").unwrap_or(name);
        Call { name, begun: enabled!(Level::TRACE).then(Instant::now) }
    }

    /// Does the log want to know of it, though it is not refused?
    #[inline]
    pub(super) fn is_told(self) -> bool {
        self.begun.is_some()
    }

    /// A call on a mapping ends.
    #[inline]
    pub(super) fn on<R>(
        self,
        mapped: &Mapped,
        arguments: &dyn Debug,
        result: Result<R, Error>,
    ) -> Answer<R> {
        self.of(mapped.usage(), mapped.name(), arguments, result)
    }

    /// A call on something of a file's ends.
    #[inline]
    pub(super) fn of<R>(
        self,
        usage: &Usage,
        path: &str,
        arguments: &dyn Debug,
        result: Result<R, Error>,
    ) -> Answer<R> {
        match result {
            Ok(done) => {
                self.done(usage.name(), path, arguments);
                (Ok(done),)
            }
            Err(error) => (Err(self.refused_by(usage, path, arguments, &error)),),
        }
    }

    /// A call that opens a file was refused.
    #[cold]
    pub(super) fn refused_opening(
        self,
        usage: &Usage,
        path: &str,
        arguments: &dyn Debug,
        error: &Error,
    ) -> ErrorCode {
        self.refused_by(usage, path, arguments, error)
    }

    /// A call was refused.
    #[cold]
    fn refused_by(
        self,
        usage: &Usage,
        path: &str,
        arguments: &dyn Debug,
        error: &Error,
    ) -> ErrorCode {
        // A guest may ask for a window, a lock, a change or a wait that it was given none of, and goes on without.
        let limits = usage.limits();
        let none = match error.kind() {
            ErrorKind::Enotsup => {
                (limits.locks == 0 && self.name.ends_with("lock"))
                    || (limits.watches == 0 && super::changes::CALLS.contains(&self.name))
                    || (limits.waiters == 0 && self.name == "wait")
            }
            ErrorKind::LimitExceeded => limits.windows == 0 && self.name.starts_with("window."),
            _ => false,
        };
        if !none {
            usage.count_refused(self.name, path, error);
        }
        self.refused(usage.name(), path, arguments, error)
    }

    /// A call has done what it should.
    #[inline]
    pub(super) fn done(self, store: &str, path: &str, arguments: &dyn Debug) {
        if let Some(begun) = self.begun {
            self.tell(store, path, arguments, begun.elapsed());
        }
    }

    #[cold]
    fn tell(self, store: &str, path: &str, arguments: &dyn Debug, took: Duration) {
        trace!(store, path, call = self.name, ?arguments, ?took, "done");
    }

    #[cold]
    fn refused(self, store: &str, path: &str, arguments: &dyn Debug, error: &Error) -> ErrorCode {
        let cause = error.errno().map(|errno| io::Error::from_raw_os_error(errno).to_string());
        debug!(
            store,
            path,
            call = self.name,
            ?arguments,
            code = error.kind().name(),
            reason = error.reason(),
            errno = error.errno(),
            cause,
            took = self.begun.map(|begun| format!("{:?}", begun.elapsed())),
            error = %error.kind(),
            "refused"
        );
        ErrorCode::from(error)
    }
}
