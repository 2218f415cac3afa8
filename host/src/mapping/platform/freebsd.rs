//! FreeBSD: growth by `posix_fallocate`; all else as on a system without calls of its own for it.
//!
//! A page of a hole gets its block when it is written back, not when it is written to. So where
//! the disk is full, a write into a file that is sparse (one that others made so, or any on ZFS)
//! succeeds and `sync` fails, with `eio`. What [`raise`] has allocated is safe from that.

pub(crate) use super::without::*;

use super::without::{empty_by, raise_by};
use crate::error::Error;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;

/// Makes a file at least `to` bytes long, with every block behind its end allocated, so that a
/// full disk is an error now and not a signal later.
///
/// `posix_fallocate` raises the length as it goes, and never lowers one. It is never used on what
/// the file has already: a file system without an allocation of its own gets one that reads the
/// blocks and writes them back, and a change through a mapping in between would be lost. A file
/// system that can't allocate (ZFS, which says EINVAL) gets a sparse file.
pub(crate) fn raise(file: &File, to: u64) -> Result<(), Error> {
    raise_by(file, to, |from, more| {
        match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), from, more)) {
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV) => Ok(()),
            other => other,
        }
    })
}

/// Empties a file, and makes it `length` bytes long, all of them zero and allocated.
pub(crate) fn empty(file: &File, _old: u64, length: u64) -> Result<(), Error> {
    empty_by(file, length, raise)
}
