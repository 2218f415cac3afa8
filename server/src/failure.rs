//! Why a request was not answered by a guest.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use std::fmt;

/// The reason, as metrics and the log have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// Too many were waiting, or it waited too long.
    Busy,
    /// It took too long.
    Time,
    /// The guest trapped, out of memory included.
    Trap,
    /// The guest returned and gave no answer.
    Silent,
    /// The guest said that it has none.
    Refused,
    /// No instance could be set up.
    Setup,
}

impl Reason {
    pub(crate) const ALL: [Reason; 6] =
        [Reason::Busy, Reason::Time, Reason::Trap, Reason::Silent, Reason::Refused, Reason::Setup];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::Busy => "busy",
            Reason::Time => "time",
            Reason::Trap => "trap",
            Reason::Silent => "silent",
            Reason::Refused => "refused",
            Reason::Setup => "setup",
        }
    }
}

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}

/// The reason with what is known of its cause, which is for the log.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) cause: String,
}

impl Failure {
    pub(crate) fn new(reason: Reason, cause: impl fmt::Display) -> Failure {
        Failure { reason, cause: cause.to_string() }
    }
}
