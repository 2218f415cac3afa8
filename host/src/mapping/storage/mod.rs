//! The storage behind a mapped file: holes, zeros and blocks in a range, the entry that the file is
//! found by, and many mappings on the device at once.
//!
//! No length is changed by any of it, so that what others do to the file meanwhile matters to
//! nobody. The work is taken out of the mapping and done without it: reads and writes go on.

mod native;

use super::lookup::{self, Place};
use super::mapped::{Mapped, WriteBack};
use super::memory::MemoryFile;
use super::options::SyncMode;
use super::platform;
use super::range::Range;
use crate::error::{Error, ErrorKind};
use cap_std::fs::Dir;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// So many mappings are written back in one call of a guest's.
pub(crate) const MOST_TOGETHER: usize = 1024;

/// What becomes of a range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// It has no blocks, and reads as zeros.
    Hole,
    /// It has blocks, and reads as zeros.
    Zeros,
    /// It has blocks, and its bytes stay.
    Blocks,
}

/// A change of a file's blocks that is about to be made.
#[derive(Debug)]
pub(crate) struct SpaceChange {
    file: Arc<File>,
    range: Range,
    space: Space,
    memory: Option<Arc<MemoryFile>>,
}

/// Where a file was found, from a granted directory on.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// None: anywhere on the host.
    pub(super) dir: Option<Arc<Dir>>,
    pub(super) path: Box<Path>,
}

/// A file's entry that is about to be written to the device.
#[derive(Debug)]
pub(crate) struct EntrySync {
    file: Arc<File>,
    entry: Entry,
}

impl Mapped {
    /// What changes the blocks of a range.
    pub(crate) fn change_space(&self, space: Space, range: Range) -> Result<SpaceChange, Error> {
        let file = self.own_file()?.clone();
        let Range { offset, length } = range;
        self.opened()?.region.check(offset, length)?;
        // Nothing is taken by a hole. What is, is in front of where the guest may make a file end.
        if space != Space::Hole && length > 0 {
            self.usage.check_file(offset + length)?;
        }
        let memory = self.opened()?.memory.clone();
        Ok(SpaceChange { file, range, space, memory })
    }

    /// What writes the file's entry to the device.
    pub(crate) fn sync_entry(&self) -> Result<EntrySync, Error> {
        let file = self.own_file()?.clone();
        let entry = self.opened()?.entry.as_deref().cloned();
        let entry = entry.ok_or_else(|| {
            Error::because(ErrorKind::Enotsup, "the mapping was not opened by a path")
        })?;
        Ok(EntrySync { file, entry })
    }

    /// The file, if its storage is the mapping's to change.
    fn own_file(&self) -> Result<&Arc<File>, Error> {
        let open = self.opened()?;
        let file = open.file.as_ref().filter(|_| !open.region.is_borrowed());
        file.ok_or_else(|| {
            Error::because(ErrorKind::Eacces, "the mapping may not change the file's storage")
        })
    }
}

impl SpaceChange {
    pub(crate) fn run(self) -> Result<(), Error> {
        let Range { offset, length } = self.range;
        if length == 0 {
            return Ok(());
        }
        let change = match self.space {
            Space::Hole => platform::punch_hole,
            Space::Zeros => platform::zero_range,
            Space::Blocks => platform::allocate,
        };
        let change = |length| Ok(change(&self.file, offset, length)?);
        match &self.memory {
            // Blocks behind its end would be memory that nobody has counted.
            Some(memory) => memory.within(offset, length, change),
            None => change(length),
        }
    }
}

impl EntrySync {
    pub(crate) fn run(self) -> Result<(), Error> {
        let path = &*self.entry.path;
        let place = match &self.entry.dir {
            Some(dir) => Place::Beneath(dir, path),
            None => Place::Anywhere(path),
        };
        lookup::sync_entry(place, &self.file)
    }
}

/// What writes many mappings back, each with its number; or which of them can't be.
pub(crate) fn write_back_all<'a>(
    mappings: impl Iterator<Item = (usize, &'a Mapped)>,
) -> Result<Vec<(usize, WriteBack)>, (usize, Error)> {
    mappings
        .map(|(index, mapped)| match mapped.write_back(None, SyncMode::Sync) {
            Ok(work) => Ok((index, work)),
            Err(error) => Err((index, error)),
        })
        .collect()
}

/// Writes all of them back, also where one fails, and tells of the first that did. The others that
/// did are told by their next `sync`: see `writeback`.
pub(crate) fn run_all(all: Vec<(usize, WriteBack)>) -> Result<(), (usize, Error)> {
    let mut first = Ok(());
    for (index, work) in all {
        if let Err(error) = work.run() {
            first = first.and(Err((index, error)));
        }
    }
    first
}
