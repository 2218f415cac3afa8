//! Guests hold the host to what `wit/iommap.wit` says, on every kind of store.
//!
//! One program, since linking wasmtime takes longer than running all of it.

mod batch;
mod command_line;
mod faults;
mod hostile;
mod lifecycle;
mod limits;
mod open;
mod race;
mod share;
mod transfer;
mod traps;
