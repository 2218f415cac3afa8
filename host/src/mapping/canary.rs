//! Was a file cut short under a private mapping of it?
//!
//! A cut takes the pages behind the file's new end out of every mapping, and out of a private one
//! those too that were written to. When the file has grown back they read as the file does, and
//! nothing says so. So there is one more private page, over the last page of the mapping, with a
//! mark in it that the file has not. A cut that takes any page of the mapping takes that one too,
//! and does so before the file can grow back. Reads and writes pay nothing for it.

use super::pages::{Pages, Protection};
use super::platform;
use crate::guard;
use rustix::io::Errno;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

type Mark = [u8; 16];

#[derive(Debug)]
pub(super) struct Canary {
    page: Pages,
    mark: Mark,
    /// The mark was set.
    set: AtomicBool,
    /// It was found gone. A later one is none of ours.
    gone: AtomicBool,
}

impl Canary {
    /// For a mapping of the first `length` bytes of a file, at least 1. The guard is installed.
    pub(super) fn new(file: &File, length: usize) -> Result<Canary, Errno> {
        let page = rustix::param::page_size();
        let last = (length - 1) / page * page;
        let page = Pages::map(file, last as u64, page, Protection::PrivateWrite)?;
        let random = || RandomState::new().hash_one(length);
        let mark = u128::from(random()) << 64 | u128::from(random());
        let (set, gone) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Canary { page, mark: mark.to_ne_bytes(), set, gone })
    }

    /// From now on a cut is noticed. What has been cut already stays as if it were noticed; a fault
    /// is one that the copy met, where it was cut at this very moment.
    pub(super) fn set(&self) -> Result<(), guard::Fault> {
        let address = self.page.address();
        // SAFETY: the page is this value's, and mapped for as long as it lives.
        let ready = unsafe { platform::prefault(address.cast(), size_of::<Mark>(), true) };
        if ready == Err(Errno::FAULT) {
            return Ok(());
        }
        // SAFETY: the page is mapped for as long as `self` lives, is writable and longer than a
        // mark, and nobody but these functions knows of it; the guard is installed (`new`).
        unsafe { guard::copy(address, self.mark.as_ptr(), size_of::<Mark>()) }?;
        self.set.store(true, Relaxed);
        Ok(())
    }

    /// Has a page of the mapping been cut off since it was set?
    pub(super) fn is_gone(&self) -> bool {
        if !self.set.load(Relaxed) || self.gone.load(Relaxed) {
            return true;
        }
        let mut found = Mark::default();
        // SAFETY: as in `set`, and `found` is ours alone.
        let read =
            unsafe { guard::copy(found.as_mut_ptr(), self.page.address(), size_of::<Mark>()) };
        let gone = read.is_err() || found != self.mark;
        if gone {
            self.gone.store(true, Relaxed);
        }
        gone
    }
}
