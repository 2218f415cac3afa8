//! What differs between operating systems in how a signal comes: a file each, with the same
//! names in all.
//!
//! - `SIGNALS`: those that may tell of a lost page.
//! - `cause(code)`: did an instruction fault, or was the signal sent?
//! - `errno()`: where this thread's `errno` is.
//! - `blocked_before(context)`: the signals that were blocked when the signal came.
//! - `registers(context)`: where the kernel keeps the interrupted program counter and the register
//!   for the second half of a result. These two are all that the handler changes. All
//!   others stay as the fault left them, and the landing pad, being part of the copy, knows what
//!   they mean.

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "openbsd")]
mod openbsd;

#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
#[cfg(target_os = "openbsd")]
pub(crate) use openbsd::*;

/// Why a signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each system knows two of them, or doesn't know")]
pub(crate) enum Cause {
    /// The interrupted instruction faulted; it will again.
    Fault,
    /// Somebody sent it, and it will not come again by itself.
    Sent,
    /// The system doesn't say.
    Untold,
}
