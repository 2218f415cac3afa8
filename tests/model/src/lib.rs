//! What every operation of iommap must do, written a second time and as plainly as possible.
//!
//! A [`Model`] holds files as vectors of bytes and knows what a guest has mapped. It says what
//! must come of each [`Operation`], by a guest or by somebody else who writes, grows, cuts,
//! renames or unlinks the files meanwhile. [`hold`] does a sequence of operations to a [`Subject`]
//! (the native layer, a guest in wasm) and to real files, and compares every answer, every file
//! and every counter.
//!
//! Operations are [`Record`]s of eight bytes, each of which means something: the model tests
//! draw them at random and shrink them (smaller bytes are simpler operations), the fuzzers take
//! them from their input, and a process that plays somebody else gets them through a socket.

mod decode;
mod file;
mod hold;
mod lock;
mod model;
mod native;
mod numbers;
mod operation;
mod others;
mod predict;
mod words;

pub use decode::{RECORD, Record, bytes};
pub use file::{Cell, UNKNOWN, matches};
pub use hold::{Subject, Tally, Value, hold};
pub use model::{Answer, Expected, Model};
pub use native::{Native, options};
pub use operation::{Call, NAMES, Open, Operation, Others, SLOTS, Storage, Word};
pub use others::{Actor, Handles, prepare, serve};

/// What a guest may use: little, so that random operations reach every limit.
pub fn limits() -> iommap::Limits {
    let mut limits = iommap::Limits::default();
    limits.mappings = 4;
    limits.mapped_bytes = 28 * page();
    limits.file_bytes = 9 * page() + 100;
    limits.call_bytes = 6 * page();
    limits.locks = 6;
    limits.watches = 1;
    limits
}

/// The size of a page in bytes.
pub fn page() -> u64 {
    rustix::param::page_size() as u64
}
