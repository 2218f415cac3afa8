//! Guests hold the host to what `wit/iommap.wit` says, on every kind of store.
//!
//! One program, since linking wasmtime takes longer than running all of it.

mod alone;
mod batch;
mod command_line;
mod conformance;
mod descriptors;
#[cfg(target_os = "linux")]
mod ending;
mod faults;
mod hostile;
#[cfg(target_os = "linux")]
mod hung;
mod languages;
mod lifecycle;
mod limits;
mod log;
mod open;
mod plugins;
mod race;
mod rust_guest;
mod share;
mod transfer;
mod traps;
mod versions;
