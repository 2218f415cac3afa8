//! The sample guests that are programs people use, run as people start them.

/// Windows for a guest, in the words of the command line.
pub(crate) const WINDOWS: [&str; 5] =
    ["--limit", "windows=1", "--limit", "window-bytes=64M", "--windows-on-changing-files"];

mod bell;
mod c_program;
mod fst;
mod geoip;
mod kv;
mod last;
mod maxminddb;
mod program;
mod qdbm;
mod safetensors;
mod sqlite;
mod tantivy;
mod tinycdb;
