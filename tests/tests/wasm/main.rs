//! Guests hold the host to what `wit/iommap.wit` says, on every kind of store; and the samples are run
//! as people start them.
//!
//! One program, since linking wasmtime takes longer than running most of it.

mod atomics;
mod atomics_ending;
mod batch;
#[cfg(target_os = "linux")]
mod blocks;
#[cfg(target_os = "linux")]
mod cancel;
mod changes;
mod command_line;
mod conformance;
mod descriptors;
mod embedding;
#[cfg(target_os = "linux")]
mod ending;
mod faults;
mod hostile;
mod languages;
mod lifecycle;
mod limits;
mod locks;
mod locks_ending;
mod locks_servers;
mod log;
mod lost_pages;
mod mman;
mod model;
mod open;
mod plugins;
mod process;
mod race;
mod runtimes;
mod rust_guest;
mod samples;
mod share;
mod shared_memory;
mod storage;
mod time;
mod transfer;
mod traps;
mod versions;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod windows;
mod windows_guest;
