//! The server, started as a user would start it: each test has one of its own, on a free port.

mod changes;
mod ending;
mod hostile;
#[cfg(target_os = "linux")]
mod hung;
mod lookups;
#[cfg(target_os = "linux")]
mod mounted;
mod ready;
mod scene;
