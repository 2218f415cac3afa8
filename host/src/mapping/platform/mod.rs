//! What differs between operating systems: a file each, the same functions in all.
//!
//! - `grow(file, from, to)`: makes a file longer with its blocks allocated, or leaves it as it was.
//! - `empty(file, length)`: makes every byte of a file zero and the file `length` long.
//! - `prefault(…)`: reads pages in without dirtying them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
