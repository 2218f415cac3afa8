//! A directory, a kind of store, and guests in it.

mod guest;
mod kind;

pub use guest::{Guest, Host, State};
pub use iommap_commands::{fnv, shown};
pub use kind::{Driver, Kind, OFFLOAD_ABOVE, cache};

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use iommap::{FsPerms, IommapCtx, IommapCtxBuilder, Usage};
use tempfile::TempDir;
use wasmtime::component::{Component, Linker};

/// The granted directory, as guests see it.
pub const DATA: &str = "/data";

/// Tells a story once on each kind of store, each time in a fresh directory.
pub fn on_each_store(story: impl Fn(&Scene)) {
    for kind in Kind::ALL {
        let scene = Scene::new(kind);
        // Seen only if the story fails.
        println!("on a store of kind {kind:?}, in {}", scene.directory().display());
        story(&scene);
    }
}

/// A directory, and the kind of store that guests get.
pub struct Scene {
    kind: Kind,
    directory: TempDir,
}

impl Scene {
    /// A scene with an empty directory.
    pub fn new(kind: Kind) -> Scene {
        Scene { kind, directory: TempDir::new().expect("a directory") }
    }

    /// The kind of store that guests get.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The directory, which guests see as [`DATA`].
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A file's path, as the host sees it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// Makes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file");
    }

    /// What is in a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file")
    }

    /// Gives a file this length, as another process might.
    pub fn cut(&self, name: &str, length: u64) {
        let file = File::options().write(true).open(self.path(name)).expect("a file");
        file.set_len(length).expect("a length");
    }

    /// The names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).expect("the directory");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("an entry").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A context that grants the directory for reading and writing.
    pub fn grant(&self) -> IommapCtxBuilder {
        self.grant_as(FsPerms::ReadWrite)
    }

    /// A context that grants the directory.
    pub fn grant_as(&self, perms: FsPerms) -> IommapCtxBuilder {
        let mut builder = IommapCtx::builder();
        builder.preopened_dir(self.directory(), DATA, perms).expect("a grant");
        builder
    }

    /// A driver with the directory, and limits as they are by default.
    pub fn guest(&self) -> Guest {
        self.guest_with(&mut self.grant())
    }

    /// A driver with this context.
    pub fn guest_with(&self, context: &mut IommapCtxBuilder) -> Guest {
        self.guest_of(self.kind.driver(), context)
    }

    /// A driver of whatever language, with this context.
    pub fn guest_of(&self, driver: &Driver, context: &mut IommapCtxBuilder) -> Guest {
        Host::new(driver.kind, context).into_guest(&driver.linked)
    }

    /// A guest on the Rust guest crate, with the directory. What it understands is in
    /// `tests/script/src/lib.rs`.
    pub fn rustic(&self) -> Guest {
        self.rustic_with(&mut self.grant(), |_| {})
    }

    /// The same with this context, and a linker in which something was changed.
    pub fn rustic_with(
        &self,
        context: &mut IommapCtxBuilder,
        change: impl FnOnce(&mut Linker<State>),
    ) -> Guest {
        self.guest_in(self.kind.rustic(), context, change)
    }

    /// A guest with windows, locks, storage, changes and words, on the Rust guest crate. What it understands
    /// is in `tests/script/src/windows.rs`, `locks.rs`, `storage.rs`, `changes.rs` and `atomics.rs`.
    pub fn viewer(&self, context: &mut IommapCtxBuilder) -> Guest {
        self.guest_in(self.kind.viewer(), context, |_| {})
    }

    fn guest_in(
        &self,
        component: &Component,
        context: &mut IommapCtxBuilder,
        change: impl FnOnce(&mut Linker<State>),
    ) -> Guest {
        let mut linker = self.kind.linker();
        change(&mut linker);
        let linked = linker.instantiate_pre(component).expect("its imports");
        Host::new(self.kind, context).into_guest(&linked)
    }
}

/// Fails unless a store has nothing in use.
#[track_caller]
pub fn assert_all_returned(usage: &Usage) {
    let used = usage.counters();
    assert_eq!((used.mappings, used.mapped_bytes, used.locked_bytes), (0, 0, 0), "{used:?}");
    assert_eq!((used.windows, used.window_bytes, used.locks), (0, 0, 0), "{used:?}");
    assert_eq!(used.watches, 0, "{used:?}");
}

/// Bytes none of which tells where it is by itself, but any few of which do.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// The size of a page of memory, in bytes.
pub fn page() -> u64 {
    rustix::param::page_size() as u64
}
