//! A mapping as one owner has it: no lock, and whoever may change it has it by `&mut`.
//!
//! A guest's mappings are these, in its store's table; [`Mapping`](super::Mapping) is one behind a
//! lock, for the threads of a native program.

use super::changes::Followed;
use super::common::RegionRef;
use super::lock::{KeptWait, Locks};
use super::memory::MemoryFile;
use super::options::{AccessMode, Advice, SyncMode};
use super::platform;
use super::private::PrivatePages;
use super::range::Range;
use super::storage::Entry;
use crate::error::{Error, ErrorKind};
use crate::usage::{Reservation, Usage};
use std::fs::File;
use std::sync::Arc;

/// A mapped file, or one that was closed.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// What the log calls it.
    pub(super) name: Box<str>,
    pub(super) access: AccessMode,
    pub(super) usage: Arc<Usage>,
    /// `None` once closed.
    pub(super) open: Option<Open>,
}

/// What an open mapping holds, and returns when it is closed.
#[derive(Debug)]
pub(crate) struct Open {
    pub(super) region: RegionRef,
    /// The file, where the mapping may change it: shared, and open for writing.
    pub(super) file: Option<Arc<File>>,
    /// The file, where windows on it may be asked for.
    pub(super) kept: Option<Arc<File>>,
    /// The file, where locks on it may be asked for.
    pub(super) lockable: Option<Arc<File>>,
    /// Whether nobody but this kernel grants them: who else does may be long in answering.
    pub(super) own_locks: bool,
    /// Once locks were asked for.
    pub(super) locks: Option<Box<Locks>>,
    /// Of somebody whose stretch of waiting for one is over, and who will ask again.
    pub(super) kept_wait: Option<Box<KeptWait>>,
    /// Where the file was found, if by a path and if the mapping may change the file.
    pub(super) entry: Option<Box<Entry>>,
    /// The region of shared memory, if it is one.
    pub(super) memory: Option<Arc<MemoryFile>>,
    /// The file, where it may be asked what has become of it.
    pub(super) followed: Option<Box<Followed>>,
    /// Which pages were written, where each is a copy in memory.
    pub(super) private: Option<PrivatePages>,
    /// Whether the pages are to stay out of the cache, where the platform can.
    pub(super) nocache: bool,
    /// Whether others may use the same region.
    pub(super) common: bool,
    pub(super) mapped: Reservation,
    /// Present where the pages are locked.
    pub(super) locked: Option<Reservation>,
    pub(super) _mapping: Reservation,
}

impl Mapped {
    /// What the log calls the mapping.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn access(&self) -> AccessMode {
        self.access
    }

    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// The size in bytes.
    pub(crate) fn len(&self) -> Result<u64, Error> {
        Ok(self.opened()?.region.len())
    }

    /// Ends the mapping. What it held goes when the answer is dropped.
    pub(crate) fn close(&mut self) -> Result<Open, Error> {
        self.open.take().ok_or(ErrorKind::Closed.into())
    }

    /// A closed mapping, to stand in the place of this one while that is used elsewhere.
    pub(crate) fn take(&mut self) -> Mapped {
        Mapped {
            name: self.name.clone(),
            access: self.access,
            usage: self.usage.clone(),
            open: self.open.take(),
        }
    }

    /// Gives a hint.
    pub(crate) fn advise(&mut self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or(ErrorKind::Closed)?;
        open.region.advise(offset, length, advice, &self.usage)
    }

    /// What writes the pages of a range back, or all of them: to be run without the mapping.
    pub(crate) fn write_back(
        &self,
        range: Option<Range>,
        mode: SyncMode,
    ) -> Result<WriteBack, Error> {
        let open = self.opened()?;
        let length = open.region.len();
        let range_or_all = range.unwrap_or(Range { offset: 0, length });
        open.region.check(range_or_all.offset, range_or_all.length)?;
        Ok(WriteBack {
            // The region may be one that others write to, whose pages are theirs to write back.
            region: self.access.writes().then(|| open.region.share()),
            file: open.file.clone(),
            range: range_or_all,
            // An empty mapping has no pages; what may wait for the device is the file's length.
            length_only: range.is_none() && length == 0,
            private: open.private.as_ref().is_some_and(|private| !private.is_empty()),
            mode,
        })
    }

    pub(super) fn opened(&self) -> Result<&Open, Error> {
        self.open.as_ref().ok_or(ErrorKind::Closed.into())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Others may have the region for longer: those that it was lent to.
        if self.locked.is_some() {
            self.region.unlock();
        }
    }
}

/// A write-back that is about to run. Reads and writes go on while it does.
pub(crate) struct WriteBack {
    /// `None`: there is nothing to write back.
    region: Option<RegionRef>,
    file: Option<Arc<File>>,
    range: Range,
    length_only: bool,
    /// What was written is in private pages: there is nothing to write back, but they may be lost.
    private: bool,
    mode: SyncMode,
}

impl WriteBack {
    /// Writes the pages back, and has the device keep them where `msync` alone doesn't.
    pub(crate) fn run(self) -> Result<(), Error> {
        let WriteBack { region: Some(region), file, range, length_only, private, mode } = self
        else {
            return Ok(());
        };
        if private && region.was_cut() {
            let reason = "the file was cut short, and pages written privately went with it";
            return Err(Error::because(ErrorKind::Sigbus, reason));
        }
        let Range { offset, length } = range;
        region.write_back(mode, || match (&file, mode) {
            (Some(file), SyncMode::Sync) if length_only => Ok(platform::sync_file(file)?),
            (Some(file), SyncMode::Sync) => {
                region.sync(offset, length, mode)?;
                Ok(platform::flush_device(file)?)
            }
            _ => region.sync(offset, length, mode),
        })
    }
}
