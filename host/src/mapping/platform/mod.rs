//! What differs between operating systems in files and mappings: a file each, the same names in
//! all.
//!
//! - `grow(file, from, to)`: makes a file longer with its blocks allocated, or leaves it as it was.
//! - `empty(file, old, length)`: makes every byte of a file zero and the file `length` long.
//! - `set_len(file, length)`: `ftruncate`, which is the same everywhere: see `length`.
//! - `POPULATE_READ`, `DONT_NEED`, `HINT_NOT_TAKEN`: what `madvise` has to offer.
//! - `prefault(address, length, for_writing)`: reads pages in without dirtying them.
//! - `lock_on_fault(address, length)`, `LOCKS_ON_FAULT`: locks pages without reading them in.
//! - `nocache(…)`: keeps a mapping's pages out of the cache where the system can.
//! - `sync_file(file)`, `flush_device(file)`: what makes a file's bytes durable beyond `msync`.
//! - `OPENED_SOCKET`: how `open` refuses a socket.

#[cfg(target_os = "freebsd")]
mod freebsd;
mod length;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "openbsd")]
mod openbsd;
// What a system does that has no call of its own for it. Linux has, and tests this.
#[cfg(any(test, not(target_os = "linux")))]
mod without;

#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::*;
pub(crate) use length::set_len;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
#[cfg(target_os = "openbsd")]
pub(crate) use openbsd::*;
