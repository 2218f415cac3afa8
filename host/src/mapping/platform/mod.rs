//! What differs between operating systems in files and mappings: a file each, the same names in
//! all. What a system has no call for comes from `without`.
//!
//! - `raise(file, to)`: makes a file at least that long, with its blocks allocated.
//! - `empty(file, old, length)`: makes every byte of a file zero and the file `length` long.
//! - `set_len(file, length)`: `ftruncate`, which is the same everywhere: see `length`.
//! - `length_of(file)`: `fstat`, for its length alone.
//! - `is_writable(file)`, `is_append_only(file)`: is it open for writing; may it only be added to?
//! - `keeps_identity(file)`: do two files of the same identity have the same bytes there?
//! - `has_own_locks(file)`: does nobody but this kernel grant locks on it?
//! - `page_size_of(file)`, `for_each_extent(file, length, each)`: its pages, and its holes.
//! - `POPULATE_READ`, `DONT_NEED`, `HINT_NOT_TAKEN`: what `madvise` has to offer.
//! - `prefault(address, length, for_writing)`: reads pages in without dirtying them.
//! - `lock_on_fault(address, length)`, `LOCKS_ON_FAULT`: locks pages without reading them in.
//! - `release(address, length)`, `map_again(address, length)`: before and beside `munmap`.
//! - `move_over(from, length, to)`: moves a mapping over another.
//! - `is_frozen(file)`, `frozen_copy(file)`: bytes that nobody can change any more.
//! - `nocache(…)`: keeps a mapping's pages out of the cache where the system can.
//! - `reopen(file, writable)`: the same file with an open file description of its own.
//! - `set_lock(file, range, mode)`, `would_lock(file, range, mode)`: locks of such descriptions.
//! - `HAS_FUTEXES`, `wait_on(word, expected, time)`, `wake(word, count)`: waiting on a shared word.
//! - `sync_file(file)`, `flush_device(file)`: what makes a file's bytes durable beyond `msync`.
//! - `punch_hole(…)`, `zero_range(…)`, `allocate(file, offset, length)`: blocks inside a file.
//! - `memory_file()`: a file that nobody else has, for shared memory.

#[cfg(target_os = "freebsd")]
mod freebsd;
mod length;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "openbsd")]
mod openbsd;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod record;
// Linux has calls of its own for all of it, and tests this.
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "only what its tests use"))]
#[cfg(any(test, not(target_os = "linux")))]
mod without;

#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::*;
pub(crate) use length::{is_append_only, is_writable, length_of, set_len};
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;
#[cfg(target_os = "openbsd")]
pub(crate) use openbsd::*;
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) use record::{set_lock, would_lock};
