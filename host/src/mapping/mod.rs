//! A mapped file as a safe value: the domain of this crate, which knows nothing of wasm.
//!
//! | file | what is in it |
//! |---|---|
//! | `options` | what can be asked for |
//! | `lookup`, `open` | how a file is found, and how it becomes a mapping |
//! | `memory` | shared memory without a file on a disk |
//! | `lend` | how an embedder's mapping becomes a guest's |
//! | `fair` | the lock of a native program's mapping |
//! | `mapped` | a mapping as its owner has it, `transfer` its reads and writes, `resize` its length |
//! | `region`, `pages` | the mapped bytes, and the range of address space that they take |
//! | `common`, `registry`, `writeback` | many mappings on one region |
//! | `private`, `canary` | the pages that a guest has copied by writing to them, and whether they were lost |
//! | `lock` | locks on ranges of the file, which keep other programs and guests out |
//! | `storage` | holes and blocks, the file's entry, many mappings on the device at once |
//! | `changes` | what has become of a file since it was mapped |
//! | `words` | words that are read and changed at once, and waited on |
//! | `window` | pages of a file, put where somebody else's memory is |
//! | `platform` | what differs between operating systems |
//!
//! The order of checks is always: closed, `eacces`, out of bounds, limit, and then the operation.

mod canary;
mod changes;
mod common;
mod fair;
mod lend;
mod lock;
mod lookup;
mod mapped;
mod memory;
mod open;
mod options;
mod pages;
mod platform;
mod private;
pub(crate) mod process;
mod range;
mod region;
mod registry;
mod resize;
mod storage;
mod transfer;
mod window;
mod words;
mod writeback;

pub use changes::FileState;
pub use lock::LockMode;
pub use memory::SharedMemory;
pub use options::{AccessMode, Advice, FsPerms, OpenOptions, SyncMode};
pub use range::Range;
pub use words::{Change, Waited};

pub(crate) use changes::{AtPath, Changed, Next, WaitForChange, at_path};
pub(crate) use lock::{Asking, Outcome, Owner, Step};
pub(crate) use mapped::Mapped;
pub(crate) use open::{Request, open_file};
pub(crate) use storage::{MOST_TOGETHER, Space, run_all, write_back_all};
pub(crate) use transfer::{cost, most_ranges};
pub(crate) use window::{GRAIN, Shown, clear, populate};
pub(crate) use words::{STRETCH, Waiting};

use crate::error::Error;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::usage::Usage;
use fair::FairLock;
use resize::Resize;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLockReadGuard, RwLockWriteGuard};

/// A file mapped into memory. No operation on it can kill the process: a page that vanishes
/// under it is [`ErrorKind::Sigbus`].
///
/// Many threads may use a mapping at once: reads run side by side, writes one at a time, and neither
/// keep the others out. Dropping it closes it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log");
/// use iommap::Mapping;
/// let log = Mapping::options().read(true).write(true).create(true).size(4096).open(&path)?;
/// log.pwrite(10, b"hello")?;
/// let mut word = [0; 5];
/// log.pread(10, &mut word)?;
/// assert_eq!(&word, b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Mapping {
    mapped: FairLock<Mapped>,
    /// Held while the file changes its length: one `set_len` at a time, reads and writes go on.
    resizing: Mutex<()>,
}

impl Mapping {
    /// Maps a file for reading, as it is: what [`OpenOptions::open`] does with
    /// [`read`](OpenOptions::read) alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Enoent`], [`ErrorKind::Eacces`], [`ErrorKind::Enotreg`],
    /// [`ErrorKind::Enomem`], [`ErrorKind::Emfile`], [`ErrorKind::Enotsup`],
    /// [`ErrorKind::LimitExceeded`] for the [process's budget](crate::Budget).
    pub fn open(path: impl AsRef<Path>) -> Result<Mapping, Error> {
        OpenOptions::new().read(true).open(path)
    }

    /// How a file is to be opened: the same as [`OpenOptions::new`].
    pub const fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Maps a file that is open already (`mmap`), for a store. The mapping keeps the file: the
    /// descriptor may be closed at once.
    ///
    /// `name` is what the log calls it; `perms` says what may be done to the file, as for a grant.
    /// A descriptor that does not allow as much is [`ErrorKind::Eacces`] where it matters, and one
    /// that is open for appending is not for writing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Badarg`] for `create`, `truncate` and `exclusive`, which say how a file is to
    /// be opened; [`ErrorKind::Eacces`] for more than `perms` or the descriptor allow; and what
    /// [`Grants::open`](crate::Grants::open) says of a file once it is open.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, "hello")?;
    /// use iommap::{FsPerms, Limits, Mapping, OpenOptions, Usage};
    /// let usage = Usage::new(Limits::default());
    /// let file = std::fs::File::open(path)?.into();
    /// let read = OpenOptions::new().read(true);
    /// let mapping = Mapping::from_file(&file, "index", FsPerms::ReadOnly, &usage, &read)?;
    /// drop(file);
    /// assert_eq!(mapping.len()?, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_file(
        file: &Arc<File>,
        name: &str,
        perms: FsPerms,
        usage: &Arc<Usage>,
        options: &OpenOptions,
    ) -> Result<Mapping, Error> {
        open_file(file, name, perms, usage, options, false).map(Mapping::from)
    }

    /// Closes the mapping: its descriptor and its address space go at once (`munmap`, `close`).
    /// What was written to a shared mapping stays in the page cache, and reaches the device
    /// when the kernel writes it back; [`sync`](Mapping::sync) before this to wait for that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] the second time.
    pub fn close(&self) -> Result<(), Error> {
        let closed = self.exclusive().close();
        // The lock is free again before `munmap` runs.
        closed.map(drop)
    }

    /// The size of the mapping in bytes: the file's length when it was mapped, or when
    /// [`set_len`](Mapping::set_len) gave it another.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`].
    #[expect(clippy::len_without_is_empty, reason = "a closed mapping has no length to be 0")]
    pub fn len(&self) -> Result<u64, Error> {
        self.shared().len()
    }

    /// Fills `target` from `offset` on (`pread`): all of it or nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Eacces`] for a mapping that is not for reading,
    /// [`ErrorKind::OutOfBounds`], [`ErrorKind::LimitExceeded`], [`ErrorKind::Sigbus`]; after the
    /// last, what `target` holds is unspecified.
    pub fn pread(&self, offset: u64, target: &mut [u8]) -> Result<(), Error> {
        let mapped = self.shared();
        mapped.check_read(offset, target.len() as u64)?;
        mapped.read(offset, target)?;
        mapped.usage().count_read(target.len() as u64);
        Ok(())
    }

    /// Writes `data` from `offset` on (`pwrite`): all of it or nothing, but for a fault. The
    /// mapping does not grow.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Eacces`] for a mapping that is not for writing,
    /// [`ErrorKind::OutOfBounds`], [`ErrorKind::LimitExceeded`] (too many bytes for one call, or
    /// for what may be written in private mappings), [`ErrorKind::Sigbus`]; before the last, a
    /// part may have been written.
    pub fn pwrite(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut mapped = self.exclusive();
        mapped.write(offset, data)?;
        mapped.usage().count_written(data.len() as u64);
        Ok(())
    }

    /// Fills `target` with the bytes of every range, back to back, in order. All ranges are
    /// checked before the first byte is copied.
    ///
    /// # Errors
    ///
    /// Those of [`pread`](Mapping::pread), and [`ErrorKind::Badarg`] unless the lengths of the
    /// ranges add up to the length of `target`.
    pub fn pread_many(&self, ranges: &[Range], target: &mut [u8]) -> Result<(), Error> {
        let mapped = self.shared();
        mapped.read_many(ranges, target)?;
        mapped.usage().count_read(target.len() as u64);
        Ok(())
    }

    /// Writes consecutive pieces of `data` to the ranges, in order. All ranges are checked
    /// before the first byte is written.
    ///
    /// # Errors
    ///
    /// Those of [`pwrite`](Mapping::pwrite), and [`ErrorKind::Badarg`] unless the lengths of the
    /// ranges add up to the length of `data`.
    pub fn pwrite_many(&self, ranges: &[Range], data: &[u8]) -> Result<(), Error> {
        let mut mapped = self.exclusive();
        mapped.write_many(ranges.iter().copied(), data)?;
        mapped.usage().count_written(data.len() as u64);
        Ok(())
    }

    /// Writes all that was changed through the mapping back to the device (`msync`). On a
    /// mapping that can't change the file it does nothing.
    ///
    /// Reads and writes go on while the device works. After a failure bytes may be lost, whatever
    /// a later read shows: so every later `sync` of this mapping fails too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::Eio`], [`ErrorKind::Enospc`]; [`ErrorKind::Sigbus`] for a
    /// private mapping that was written to, if the file has been cut in front of its last page
    /// since, and what was written may be lost.
    pub fn sync(&self, mode: SyncMode) -> Result<(), Error> {
        let work = self.shared().write_back(None, mode)?;
        work.run()
    }

    /// Writes a range of the mapping back to the device, rounded out to whole pages (`msync`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfBounds`], and those of [`sync`](Mapping::sync), whatever the range.
    pub fn sync_range(&self, offset: u64, length: u64, mode: SyncMode) -> Result<(), Error> {
        let work = self.shared().write_back(Some(Range { offset, length }), mode)?;
        work.run()
    }

    /// Says what access to expect of a range, rounded out to whole pages (`madvise`). Length 0
    /// means to the end of the mapping. A hint never destroys data.
    ///
    /// No other mapping feels a hint, but those that this one is [shared](crate::Grants::share)
    /// with: one that lasts (`normal`, `random`, `sequential`) gets this mapping a region of its
    /// own first, where the system can (Linux), and is not applied where it can't. `dontneed` is
    /// not applied while others use the region. Of hints that last, 16 are applied to parts of a
    /// mapping, and more once one was given for all of it: each may take two more of the ranges of
    /// address space that the system allows a process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`], [`ErrorKind::OutOfBounds`], [`ErrorKind::LimitExceeded`] where no
    /// address ranges are left for it.
    pub fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), Error> {
        if advice == Advice::WillNeed {
            // It may read, which others need not wait for.
            let region = self.shared().opened()?.region.share();
            return (*region).advise(offset, length, advice);
        }
        self.exclusive().advise(offset, length, advice)
    }

    /// Makes the file, and the mapping with it, exactly `new_len` bytes long, whatever others
    /// did to the file meanwhile (`ftruncate`). New bytes are zero, but for what a file system keeps
    /// that was written behind the end through a mapping (tmpfs), and have their blocks
    /// allocated where the file system can.
    ///
    /// On any failure the old mapping keeps serving; the file may have grown, and then stays so,
    /// since others may have written to it meanwhile. Other mappings of the file keep the size they
    /// have, also where they used one region with this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Eacces`] for a mapping that may not change the file: one
    /// for reading, a `private` one, or one that the embedder [shares](crate::Grants::share);
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::Enomem`], [`ErrorKind::Enospc`],
    /// [`ErrorKind::Efbig`], [`ErrorKind::Eio`].
    pub fn set_len(&self, new_len: u64) -> Result<(), Error> {
        let _one_at_a_time = self.resizing.lock().unwrap_or_else(PoisonError::into_inner);
        let resize = Resize::begin(&self.shared(), new_len)?;
        resize.run(|step| step(&mut self.exclusive()))
    }

    /// What the log calls the mapping: the path that it was opened by.
    pub fn name(&self) -> String {
        self.shared().name().to_owned()
    }

    /// What the mapping's store uses.
    pub fn usage(&self) -> Arc<Usage> {
        self.shared().usage().clone()
    }

    /// What may be done through the mapping.
    pub fn access(&self) -> AccessMode {
        self.shared().access()
    }

    pub(crate) fn into_mapped(self) -> Mapped {
        self.mapped.into_inner()
    }

    pub(crate) fn shared(&self) -> RwLockReadGuard<'_, Mapped> {
        self.mapped.read()
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Mapped> {
        self.mapped.write()
    }
}

impl From<Mapped> for Mapping {
    fn from(mapped: Mapped) -> Mapping {
        Mapping { mapped: FairLock::new(mapped), resizing: Mutex::new(()) }
    }
}
