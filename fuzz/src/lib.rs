//! What is fuzzed: functions that take any bytes and panic if they find something.
//!
//! - [`operations`]: sequences of all operations, held to the model in `tests/model`.
//! - [`paths`]: paths and open options, in a directory full of traps.
//! - [`ranges`]: lists of ranges for the batch calls, held to a naive reading of what they mean.
//! - [`windows`]: a guest's windows, with the feature `windows`, since it needs wasmtime.
//!
//! `tests/targets.rs` runs them, and `README.md` says how.

mod operations;
mod paths;
mod place;
mod ranges;
#[cfg(feature = "windows")]
mod windows;

pub use operations::operations;
pub use paths::paths;
pub use ranges::ranges;
#[cfg(feature = "windows")]
pub use windows::windows;
