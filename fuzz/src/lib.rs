//! What is fuzzed: functions that take any bytes and panic if they find something.
//!
//! - [`operations`]: sequences of all operations, held to the model in `tests/model`.
//! - [`paths`]: paths and open options, in a directory full of traps.
//! - [`ranges`]: lists of ranges for the batch calls, held to a naive reading of what they mean.
//!
//! `src/main.rs` runs them on stable Rust, `libfuzzer/` under libFuzzer with nightly.

mod operations;
mod paths;
mod place;
mod ranges;
mod seen;

#[path = "../../host/tests/model/native.rs"]
mod native;

pub use operations::operations;
pub use paths::paths;
pub use ranges::ranges;
pub use seen::Seen;

/// A function to fuzz.
pub type Target = fn(&[u8], &mut Seen);

/// The targets by name.
pub const TARGETS: [(&str, Target); 3] =
    [("operations", operations), ("paths", paths), ("ranges", ranges)];
