//! What is fuzzed: functions that take any bytes and panic if they find something.
//!
//! - [`operations`]: sequences of all operations, held to the model in `tests/model`.
//! - [`paths`]: paths and open options, in a directory full of traps.
//! - [`ranges`]: lists of ranges for the batch calls, held to a naive reading of what they mean.
//!
//! `tests/targets.rs` runs them, and `README.md` says how.

mod operations;
mod paths;
mod place;
mod ranges;

pub use operations::operations;
pub use paths::paths;
pub use ranges::ranges;
