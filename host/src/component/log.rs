//! What the host's log says of a call that was refused.
//!
//! The guest gets a code. The operator gets one event of level `debug`, which needs no span around
//! it to be understood: which store, which file, which call with which arguments, and the `errno`
//! behind the code. What a guest may do as often as it likes is no warning.

use crate::error::Error;
use crate::limits::Account;
use crate::mapping::Mapping;
use rustix::io::Errno;
use std::fmt::Debug;
use std::io;
use tracing::debug;

/// A call, as the log names it. Nothing is looked up unless the call is refused.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    subject: Subject<'a>,
    name: &'static str,
    arguments: &'a dyn Debug,
}

/// What a call is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    /// A file that is to be opened, by its path as the guest gave it.
    File(&'a Account, &'a str),
    Mapping(&'a Mapping),
}

impl<'a> Call<'a> {
    /// A call that opens a file.
    pub(crate) fn opening(
        account: &'a Account,
        path: &'a str,
        name: &'static str,
        arguments: &'a dyn Debug,
    ) -> Call<'a> {
        Call { subject: Subject::File(account, path), name, arguments }
    }

    /// A call on a mapping.
    #[inline]
    pub(crate) fn on(
        mapping: &'a Mapping,
        name: &'static str,
        arguments: &'a dyn Debug,
    ) -> Call<'a> {
        Call { subject: Subject::Mapping(mapping), name, arguments }
    }

    /// Says that the call was refused, and why.
    #[cold]
    pub(crate) fn refused(&self, error: &Error, cause: Option<Errno>) {
        let (account, path) = match self.subject {
            Subject::File(account, path) => (account, path),
            Subject::Mapping(mapping) => (&**mapping.account(), mapping.name()),
        };
        debug!(
            store = account.name(),
            path,
            call = self.name,
            arguments = ?self.arguments,
            code = error.code(),
            errno = cause.map(Errno::raw_os_error),
            cause = cause.map(|errno| io::Error::from(errno).to_string()),
            %error,
            "refused"
        );
    }
}
