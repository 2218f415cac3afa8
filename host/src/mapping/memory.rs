//! Shared memory without a file on a disk: regions under names, which the stores of a host open as they
//! open files.
//!
//! A region is a file that nobody else has: what a guest may do to a file's length it may do to a
//! region's, and what becomes of the others' mappings is the same. All regions of a pool together have so
//! many bytes, in whole pages and by their lengths, whether they were written to or not. A length is
//! changed by one at a time, so that what is taken for it is what it has.

use super::changes::AtPath;
use super::platform;
use crate::error::{Error, ErrorKind};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// No file system has longer names.
const LONGEST_NAME: usize = 255;

/// How many regions a pool has unless it is told otherwise.
const REGIONS: u64 = 64;

/// A pool of memory that an embedder gives to the guests of many stores, who open parts of it by
/// name as they open files: see [`Grants::shared_memory`](crate::Grants::shared_memory). It is the host's
/// memory, and goes with the pool's last owner and the last mapping.
///
/// Cloning it makes another owner of the same pool.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use iommap::{FsPerms, Grants, Mapping, SharedMemory, Usage};
/// let memory = SharedMemory::new(1 << 20);
/// let mut grants = Grants::default();
/// grants.shared_memory("/shm", &memory, FsPerms::ReadWrite);
///
/// let create = Mapping::options().read(true).write(true).create(true).size(4096);
/// let [one, other] = [(); 2].map(|()| {
///     let store = Usage::new(Default::default());
///     grants.open(&store, "/shm/counters", &create)
/// });
/// let mut bytes = [0; 5];
/// one?.pwrite(7, b"hello")?;
/// other?.pread(7, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// assert_eq!(memory.used_bytes(), 4096);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedMemory(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    budget: Arc<MemoryBudget>,
    regions: Mutex<HashMap<Box<str>, Arc<MemoryFile>>>,
    /// Held while a region is made, until it has its name.
    making: Mutex<()>,
}

/// What the regions of a pool have together, those without a name too.
#[derive(Debug)]
struct MemoryBudget {
    max_bytes: u64,
    max_regions: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    regions: u64,
}

/// A region as the mappings of it hold it.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    pub(super) file: Arc<File>,
    budget: Arc<MemoryBudget>,
    /// What was taken for it. Held while its length changes.
    taken: Mutex<u64>,
}

impl SharedMemory {
    /// A pool of so many bytes, for 64 regions at most. Nothing is allocated yet.
    pub fn new(max_bytes: u64) -> SharedMemory {
        SharedMemory::with_regions(max_bytes, REGIONS)
    }

    /// A pool of so many bytes and regions. A region takes a descriptor of the host's.
    pub fn with_regions(max_bytes: u64, max_regions: u64) -> SharedMemory {
        let budget = MemoryBudget { max_bytes, max_regions, used: Mutex::default() };
        let (budget, regions) = (Arc::new(budget), Mutex::default());
        SharedMemory(Arc::new(Pool { budget, regions, making: Mutex::default() }))
    }

    /// How many bytes its regions have together, in whole pages. Those that were removed count for as
    /// long as somebody has them mapped.
    pub fn used_bytes(&self) -> u64 {
        locked(&self.0.budget.used).bytes
    }

    /// The names of its regions, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = locked(&self.0.regions).keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    /// Removes a region, as a file is removed: who has it mapped keeps it, and its name is free. Says
    /// whether there was one. Guests can't: they empty it by `truncate`.
    pub fn remove(&self, name: &str) -> bool {
        let removed = locked(&self.0.regions).remove(name);
        // It goes where the pool is free again.
        removed.is_some()
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<MemoryFile>> {
        locked(&self.0.regions).get(name).cloned()
    }

    /// What a guest's path behind the pool's names.
    pub(crate) fn at_path(&self, path: &str) -> Result<AtPath, Error> {
        let region = checked_name(path).ok().and_then(|name| self.find(name));
        let Some(region) = region else { return Ok(AtPath::Nothing) };
        let stat = region.file.metadata()?;
        Ok(AtPath::File((stat.dev(), stat.ino())))
    }

    /// Keeps others from making a region meanwhile.
    pub(super) fn making(&self) -> MutexGuard<'_, ()> {
        locked(&self.0.making)
    }

    /// A region that has no name yet, and goes if it never gets one.
    pub(super) fn make(&self) -> Result<Arc<MemoryFile>, Error> {
        let budget = &self.0.budget;
        {
            let mut used = locked(&budget.used);
            if used.regions >= budget.max_regions {
                let reason = format!("the shared memory has its {} regions", budget.max_regions);
                return Err(Error::because(ErrorKind::LimitExceeded, reason));
            }
            used.regions += 1;
        }
        let give_back = |_: &Error| locked(&budget.used).regions -= 1;
        let file = Arc::new(platform::memory_file().inspect_err(give_back)?);
        Ok(Arc::new(MemoryFile { file, budget: budget.clone(), taken: Mutex::new(0) }))
    }

    /// Gives a region its name, unless that is taken.
    pub(super) fn publish(&self, name: &str, region: &Arc<MemoryFile>) -> Result<(), Error> {
        let mut regions = locked(&self.0.regions);
        if regions.contains_key(name) {
            return Err(ErrorKind::Eexist.into());
        }
        regions.insert(name.into(), region.clone());
        Ok(())
    }
}

/// The name of a region that a guest's path has behind the pool's: one part, since there are no
/// directories.
pub(super) fn checked_name(path: &str) -> Result<&str, Error> {
    let rest = path.trim_start_matches('/');
    let named = rest.trim_end_matches('/');
    match named {
        "" | "." => Err(ErrorKind::Enotreg.into()),
        _ if named.split('/').any(|part| part == "..") => {
            Err(Error::because(ErrorKind::Eacces, "the path leads out of the shared memory"))
        }
        _ if named.contains('/') => Err(ErrorKind::Enoent.into()),
        // It would be a directory.
        _ if named.len() < rest.len() => Err(ErrorKind::Enoent.into()),
        _ if named.len() > LONGEST_NAME => Err(ErrorKind::Badarg.into()),
        _ => Ok(named),
    }
}

/// Changes a file's length by `work`, to `to` bytes at most; one of shared memory within what its pool
/// has.
pub(super) fn change_length(
    memory: Option<&MemoryFile>,
    to: u64,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    match memory {
        Some(memory) => memory.change_length(to, work),
        None => work(),
    }
}

impl MemoryFile {
    fn change_length(
        &self,
        to: u64,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut taken = locked(&self.taken);
        let wanted = whole_pages(to);
        if wanted > *taken {
            self.budget.take(wanted - *taken)?;
            *taken = wanted;
        }
        let done = work();
        // Whatever came of it.
        if let Ok(stat) = self.file.metadata() {
            let has = whole_pages(stat.len());
            if has < *taken {
                locked(&self.budget.used).bytes -= *taken - has;
                *taken = has;
            }
        }
        done
    }

    /// Does something to the part of a range that the region has pages for, while it keeps its length.
    pub(super) fn within(
        &self,
        offset: u64,
        length: u64,
        work: impl FnOnce(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let _keeps_its_length = locked(&self.taken);
        let end = whole_pages(self.file.metadata()?.len());
        match end.saturating_sub(offset).min(length) {
            0 => Ok(()),
            length => work(length),
        }
    }
}

impl MemoryBudget {
    fn take(&self, bytes: u64) -> Result<(), Error> {
        let mut used = locked(&self.used);
        match used.bytes.checked_add(bytes).filter(|sum| *sum <= self.max_bytes) {
            Some(sum) => {
                used.bytes = sum;
                Ok(())
            }
            None => {
                let (max, used) = (self.max_bytes, used.bytes);
                let reason =
                    format!("the shared memory has {max} bytes, {used} in use, asked for {bytes}");
                Err(Error::because(ErrorKind::LimitExceeded, reason))
            }
        }
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let mut used = locked(&self.budget.used);
        used.bytes -= *locked(&self.taken);
        used.regions -= 1;
    }
}

fn whole_pages(bytes: u64) -> u64 {
    let page = rustix::param::page_size() as u64;
    bytes.checked_next_multiple_of(page).unwrap_or(u64::MAX)
}

/// Nothing panics while it holds one of these, but what `work` does; and what is taken stays right.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for (path, name) in [("f", "f"), ("/f", "f"), ("a.b", "a.b"), ("...", "...")] {
            assert_eq!(checked_name(path), Ok(name));
        }
        let long = "x".repeat(LONGEST_NAME + 1);
        for (path, kind) in [
            (".", ErrorKind::Enotreg),
            ("/", ErrorKind::Enotreg),
            ("..", ErrorKind::Eacces),
            ("a/../b", ErrorKind::Eacces),
            ("../f", ErrorKind::Eacces),
            ("a/b", ErrorKind::Enoent),
            ("f/", ErrorKind::Enoent),
            (&*long, ErrorKind::Badarg),
        ] {
            assert_eq!(checked_name(path), Err(kind.into()), "{path}");
        }
    }

    #[test]
    fn what_was_taken_for_a_length_is_what_it_has() {
        let page = whole_pages(1);
        let memory = SharedMemory::with_regions(4 * page, 2);
        let [one, other] = [(); 2].map(|()| memory.make().unwrap());
        assert_eq!(memory.make().unwrap_err(), ErrorKind::LimitExceeded);
        let grow = |region: &MemoryFile, to: u64| {
            region.change_length(to, || platform::raise(&region.file, to))
        };
        grow(&one, 2 * page + 1).unwrap();
        assert_eq!(memory.used_bytes(), 3 * page);
        grow(&one, 5).unwrap();
        assert_eq!(grow(&other, page + 1), Err(ErrorKind::LimitExceeded.into()));
        assert_eq!(grow(&other, u64::MAX), Err(ErrorKind::LimitExceeded.into()));
        grow(&other, page).unwrap();
        assert_eq!(memory.used_bytes(), 4 * page);
        // What fails halfway has what it has come to.
        let failed = one.change_length(page, || {
            platform::set_len(&one.file, 7)?;
            Err(ErrorKind::Eio.into())
        });
        assert_eq!((failed, memory.used_bytes()), (Err(ErrorKind::Eio.into()), 2 * page));
        memory.publish("one", &one).unwrap();
        assert_eq!(memory.publish("one", &other), Err(ErrorKind::Eexist.into()));
        drop((one, other));
        assert_eq!((memory.used_bytes(), memory.names()), (page, vec!["one".to_owned()]));
        assert!(memory.remove("one") && !memory.remove("one"));
        assert_eq!(memory.used_bytes(), 0);
        assert!(memory.make().is_ok());
    }
}
