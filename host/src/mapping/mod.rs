//! A mapped file as a safe value: the domain of this crate, free of wasm types.
//!
//! Read [`options`] for what can be asked, `open` for how a file becomes a [`Mapping`], `lend`
//! for how an embedder's becomes a guest's, `region` for the mapped bytes themselves, `lease`,
//! `registry` and `writeback` for many mappings on one region, `transfer` for reads and writes,
//! `resize` for `truncate`, and `platform` for what differs between operating systems.
//!
//! The order of checks is always: closed, `eacces`, out of bounds, limit, and then the operation.

mod glance;
mod lease;
mod lend;
mod open;
pub mod options;
mod platform;
mod region;
mod registry;
mod resize;
mod transfer;
mod writeback;

pub use transfer::Range;

use crate::error::Error;
use crate::limits::{Account, Charge};
use glance::Glance;
use lease::{Lease, SharedRegion};
use options::{AccessMode, Advice, SyncMode};
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A file mapped into memory. No operation on it can kill the process: a page that vanishes
/// under it is [`Error::SigBus`].
///
/// Many threads may use a mapping at once: reads run side by side, writes one at a time.
/// Dropping it closes it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// use iommap::{AccessMode, Account, FsPerms, Grants, Limits, Mapping, OpenOptions};
/// let mut grants = Grants::default();
/// grants.preopened_dir(dir.path(), "/data", FsPerms::ReadWrite)?;
/// let account = Account::new(Limits::default());
///
/// let options =
///     OpenOptions { create: true, size: Some(4096), ..OpenOptions::new(AccessMode::ReadWrite) };
/// let mapping = Mapping::open(&grants, &account, "/data/log", &options)?;
/// mapping.pwrite(10, b"hello")?;
/// let mut word = [0; 5];
/// mapping.pread(10, &mut word)?;
/// assert_eq!(&word, b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mapping {
    access: AccessMode,
    account: Arc<Account>,
    /// Whether the pages are to stay out of the cache, where the platform can.
    nocache: bool,
    /// Whether others may use the same region.
    sharing: bool,
    /// Kept true to `state` by whoever changes that.
    glance: Glance,
    /// `None` once closed.
    state: RwLock<Option<State>>,
    /// Held while the file changes its length: one `truncate` at a time, reads and writes go on.
    resizing: Mutex<()>,
}

/// What an open mapping holds, and returns when it is closed.
#[derive(Debug)]
struct State {
    region: Lease,
    /// The file, where the mapping may change it: shared, and open for writing.
    file: Option<Arc<File>>,
    mapped: Charge,
    /// Present where the pages are locked.
    locked: Option<Charge>,
    _slot: Charge,
}

impl Mapping {
    /// Closes the mapping: its descriptor and its address space go at once (`munmap`, `close`).
    /// What was written to a shared mapping stays in the page cache, and reaches the device
    /// when the kernel writes it back; [`sync`](Mapping::sync) before this to wait for that.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] the second time.
    pub fn close(&self) -> Result<(), Error> {
        let mut state = self.write_state();
        self.glance.close();
        let last = state.take();
        // The lock is free again before `munmap` runs.
        drop(state);
        last.map(drop).ok_or(Error::Closed)
    }

    /// The size of the mapping in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub fn position(&self) -> Result<u64, Error> {
        Ok(self.region()?.len())
    }

    /// Writes all that was changed through the mapping back to the device (`msync`). On a
    /// mapping that can't change the file it does nothing.
    ///
    /// Reads and writes go on while the device works.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::Io`], [`Error::NoSpc`].
    pub fn sync(&self, mode: SyncMode) -> Result<(), Error> {
        self.write_back(None, mode)
    }

    /// Writes a range of the mapping back to the device, rounded out to whole pages (`msync`).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::OutOfBounds`], [`Error::Io`], [`Error::NoSpc`].
    pub fn sync_range(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        self.write_back(Some(Range { offset, length }), mode)
    }

    /// Says what access to expect of a range, rounded out to whole pages (`madvise`). Length 0
    /// means to the end of the mapping. A hint never destroys data.
    ///
    /// Where other mappings use the same region, only [`Advice::WillNeed`] is applied: any other
    /// hint would be theirs as well. What was hinted before they came, they undo.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], [`Error::OutOfBounds`].
    pub fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        let (region, borrowed) =
            self.with_state(|state| (state.region.region(), state.region.is_borrowed()))?;
        region.advise(borrowed, offset, length, advice)
    }

    /// What may be done through the mapping.
    pub fn access(&self) -> AccessMode {
        self.access
    }

    /// The region as it stands, for work that takes long: it outlives a `close` or a `truncate`.
    fn region(&self) -> Result<Arc<SharedRegion>, Error> {
        self.with_state(|state| state.region.region())
    }

    /// Writes the pages of a range, or all, back, and has the device keep them where `msync` alone
    /// doesn't.
    fn write_back(&self, range: Option<Range>, mode: SyncMode) -> Result<(), Error> {
        let (region, told, file) = self
            .with_state(|state| (state.region.region(), state.region.told(), state.file.clone()))?;
        let Range { offset, length } =
            range.unwrap_or_else(|| Range { offset: 0, length: region.len() });
        region.check(offset, length)?;
        region.write_back(&told, mode, || match (&file, mode) {
            // An empty mapping has no pages; what may wait for the device is the file's length.
            (Some(file), SyncMode::Sync) if range.is_none() && length == 0 => {
                Ok(platform::sync_file(file)?)
            }
            (Some(file), SyncMode::Sync) => {
                region.sync(offset, length, mode)?;
                Ok(platform::flush_device(file)?)
            }
            _ => region.sync(offset, length, mode),
        })
    }

    fn with_state<R>(&self, look: impl FnOnce(&State) -> R) -> Result<R, Error> {
        self.read_state().as_ref().map(look).ok_or(Error::Closed)
    }

    // A panic while the lock is held can't leave the state half changed: each change of it is
    // one assignment. So a poisoned lock is as good as any.
    fn read_state(&self) -> RwLockReadGuard<'_, Option<State>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, Option<State>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
