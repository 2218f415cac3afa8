//! A granted directory, and what others do to the files in it.

use iommap::{Budget, BudgetLimits, Error, FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A directory of the host, granted as `/d`, and the usage of one store.
pub(crate) struct World {
    root: PathBuf,
    pub(crate) grants: Grants,
    pub(crate) usage: Arc<Usage>,
    _dir: Option<TempDir>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Limits::default(), FsPerms::ReadWrite)
    }

    pub(crate) fn limited(limits: Limits) -> World {
        World::with(limits, FsPerms::ReadWrite)
    }

    /// With these limits alone, whatever other stores of the process use.
    pub(crate) fn without_budget(limits: Limits) -> World {
        let mut world = World::new();
        let budget = Budget::new(BudgetLimits::unlimited());
        world.usage = Usage::within(limits, "alone", budget);
        world
    }

    pub(crate) fn read_only() -> World {
        World::with(Limits::default(), FsPerms::ReadOnly)
    }

    pub(crate) fn with(limits: Limits, perms: FsPerms) -> World {
        let dir = TempDir::new().unwrap();
        let mut world = World::at(dir.path(), limits, perms);
        world._dir = Some(dir);
        world
    }

    /// Grants a directory that is there already.
    pub(crate) fn at(root: &Path, limits: Limits, perms: FsPerms) -> World {
        let root = root.canonicalize().unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(&root, "/d", perms).unwrap();
        World { root, grants, usage: Usage::new(limits), _dir: None }
    }

    /// The host's path of a file in the granted directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// A file of zeros that has no blocks.
    pub(crate) fn sparse(&self, name: &str, length: u64) -> PathBuf {
        let path = self.path(name);
        fs::File::create(&path).unwrap().set_len(length).unwrap();
        path
    }

    pub(crate) fn contents(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn length(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().len()
    }

    /// What another process does to a file: makes it this long.
    pub(crate) fn set_length(&self, name: &str, length: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).unwrap();
        file.set_len(length).unwrap();
    }

    /// Bytes that a file has on the disk.
    pub(crate) fn allocated(&self, name: &str) -> u64 {
        fs::metadata(self.path(name)).unwrap().blocks() * 512
    }

    /// The names in the granted directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.root).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn open(&self, name: &str, options: &OpenOptions) -> Result<Mapping, Error> {
        self.grants.open(&self.usage, &format!("/d/{name}"), options)
    }

    pub(crate) fn map(&self, name: &str, options: &OpenOptions) -> Mapping {
        self.open(name, options).unwrap_or_else(|error| panic!("{name}: {error}: {options:?}"))
    }

    /// Why a file is not opened.
    #[track_caller]
    pub(crate) fn refused(&self, name: &str, options: &OpenOptions) -> Error {
        match self.open(name, options) {
            Err(error) => error,
            Ok(_) => panic!("{name:?} was opened: {options:?}"),
        }
    }

    /// Nothing of the store's allowance is in use.
    #[track_caller]
    pub(crate) fn assert_idle(&self) {
        let used = self.usage.counters();
        assert_eq!((used.mappings, used.mapped_bytes, used.locked_bytes), (0, 0, 0), "{used:?}");
        assert_eq!(used.locks, 0, "{used:?}");
    }
}
