//! An import of `iommap:mmap`: under which name, and where its calls find what they need.

use super::access::Access;
#[cfg(feature = "async")]
use super::linker::AsyncOptions;
use super::opener::{Find, Opener, find_own};
#[cfg(feature = "wasi")]
use super::wasi;
#[cfg(feature = "windows")]
use super::windows;
use super::{Getter, IommapCtx, atomics, changes, linker, locks, storage};
use std::fmt;
use std::sync::Arc;
use wasmtime::Result;
use wasmtime::component::{Linker, ResourceTable};

/// How `iommap:mmap` is added to a linker, where [`add_to_linker`](crate::add_to_linker) doesn't
/// suffice: the context is not in the store's data, or the component imports the interface more
/// than once.
///
/// ```
/// # use iommap::{FsPerms, Import, IommapCtx};
/// # use std::sync::Arc;
/// # use wasmtime::{Engine, component::{Linker, ResourceTable}};
/// # fn main() -> wasmtime::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let (geo, words) = (dir.path(), dir.path());
/// # let engine = Engine::default();
/// // A runtime's own type, which can't be changed.
/// struct State {
///     table: ResourceTable,
/// }
///
/// let mut linker = Linker::<State>::new(&engine);
/// // A component that imports the interface as `geo` and as `words` gets a grant by each.
/// for (name, directory) in [("geo", geo), ("words", words)] {
///     let ctx = IommapCtx::builder()
///         .preopened_dir(directory, "/", FsPerms::ReadOnly)?
///         .max_mappings(4)
///         .build();
///     let ctx = Arc::new(ctx);
///     Import::shared(|state: &mut State| &mut state.table, move |_| Ok(ctx.clone()))
///         .named(name)
///         .add_to_linker(&mut linker)?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Import<T: 'static> {
    pub(super) access: Access<T>,
    pub(super) find: Find<T>,
    /// None for the interface's own name.
    pub(super) name: Option<String>,
    locks: bool,
    changes: bool,
    atomics: bool,
    #[cfg(feature = "wasi")]
    descriptors: Option<wasi::Descriptors<T>>,
    #[cfg(feature = "wasi")]
    open_files: Option<wasi::Descriptors<T>>,
    #[cfg(feature = "windows")]
    windows: bool,
    storage: bool,
}

impl<T: 'static> Import<T> {
    /// With a context in the store's data, as [`add_to_linker`](crate::add_to_linker) has it.
    pub fn new(get: Getter<T>) -> Import<T> {
        Import::of(Access::Own(get), find_own(get))
    }

    /// With a context that others have too: of a runtime whose stores have data of a fixed type, and
    /// which reaches its plugins by an [`Arc`]. In the store there must be a table, where the
    /// guest's mappings are kept, and that `table` finds.
    ///
    /// `find` is asked at each `open` and `map-descriptor`, and by no other call. An error of it traps the guest. The
    /// stores for which it finds one context have one usage, and are held to its limits together; what
    /// they move is counted by atomic additions, which a context of the store's own goes without.
    pub fn shared(
        table: fn(&mut T) -> &mut ResourceTable,
        find: impl Fn(&mut T) -> Result<Arc<IommapCtx>> + Send + Sync + 'static,
    ) -> Import<T> {
        let find = move |data: &mut T| Ok(Opener::from(&*find(data)?));
        Import::of(Access::Table(table), Arc::new(find))
    }

    fn of(access: Access<T>, find: Find<T>) -> Import<T> {
        Import {
            access,
            find,
            name: None,
            locks: false,
            changes: false,
            atomics: false,
            #[cfg(feature = "wasi")]
            descriptors: None,
            #[cfg(feature = "wasi")]
            open_files: None,
            #[cfg(feature = "windows")]
            windows: false,
            storage: false,
        }
    }

    /// Under a name of the component's instead of `iommap:mmap/types`, for a component that imports
    /// the interface more than once: each import has a context of its own, and so grants and limits.
    ///
    /// `iommap:mmap/batch` works on any mapping, and is added where no name is given.
    pub fn named(self, name: impl Into<String>) -> Import<T> {
        Import { name: Some(name.into()), ..self }
    }

    /// And `iommap:mmap/locks`, which works on any mapping: see
    /// [`locks::add_to_linker`](crate::locks::add_to_linker). Of imports with names one adds it.
    pub fn with_locks(self) -> Import<T> {
        Import { locks: true, ..self }
    }

    /// And `iommap:mmap/changes`, which works on any mapping: see
    /// [`changes::add_to_linker`](crate::changes::add_to_linker). Of imports with names one adds it; a
    /// mapping of another one's is looked up by no path.
    pub fn with_changes(self) -> Import<T> {
        Import { changes: true, ..self }
    }

    /// And `iommap:mmap/atomics`, which works on any mapping: see
    /// [`atomics::add_to_linker`](crate::atomics::add_to_linker). Of imports with names one adds it.
    pub fn with_atomics(self) -> Import<T> {
        Import { atomics: true, ..self }
    }

    /// And `iommap:wasi`, which maps what the guest has open through WASI: see
    /// [`wasi::add_to_linker`].
    #[cfg(feature = "wasi")]
    pub fn with_wasi(self, descriptors: wasi::Descriptors<T>) -> Import<T> {
        Import { descriptors: Some(descriptors), ..self }
    }

    /// And `iommap:wasi/open-files`, which maps what the guest's standard library has open: see
    /// [`wasi::add_open_files_to_linker`].
    #[cfg(feature = "wasi")]
    pub fn with_open_files(self, descriptors: wasi::Descriptors<T>) -> Import<T> {
        Import { open_files: Some(descriptors), ..self }
    }

    /// And `iommap:mmap/windows`, so that components which import it link: see
    /// [`windows::add_to_linker`].
    ///
    /// With a context that is [`shared`](Import::shared) there are none, since what ends a store's windows
    /// has no place in the store's data: guests are told `enotsup`, and go on by `pread`.
    #[cfg(feature = "windows")]
    pub fn with_windows(self) -> Import<T> {
        Import { windows: true, ..self }
    }

    /// And `iommap:mmap/storage`, which works on any mapping: see
    /// [`storage::add_to_linker`](crate::storage::add_to_linker). Of imports with names one adds it.
    pub fn with_storage(self) -> Import<T> {
        Import { storage: true, ..self }
    }

    /// Adds it to a linker, as [`add_to_linker`](crate::add_to_linker) does.
    ///
    /// # Errors
    ///
    /// The linker has something of that name already.
    pub fn add_to_linker(&self, linker: &mut Linker<T>) -> Result<()> {
        #[cfg(feature = "wasi")]
        if let Some(descriptors) = self.descriptors {
            wasi::add(linker, self, descriptors)?;
        }
        #[cfg(feature = "wasi")]
        if let Some(descriptors) = self.open_files {
            wasi::open::add(linker, self, descriptors)?;
        }
        #[cfg(feature = "windows")]
        match self.access {
            _ if !self.windows => {}
            Access::Own(get) => windows::add_to_linker(linker, get)?,
            Access::Table(_) => windows::refuse(linker, self.access)?,
        }
        if self.locks {
            locks::add(linker, self)?;
        }
        if self.storage {
            storage::add(linker, self)?;
        }
        if self.changes {
            changes::add(linker, self)?;
        }
        if self.atomics {
            atomics::add(linker, self)?;
        }
        linker::add(linker, self)
    }

    /// Adds it to a linker for async stores, as
    /// [`add_to_linker_async_with`](crate::add_to_linker_async_with) does.
    ///
    /// # Errors
    ///
    /// The linker has something of that name already.
    #[cfg(feature = "async")]
    pub fn add_to_linker_async(&self, linker: &mut Linker<T>, options: AsyncOptions) -> Result<()>
    where
        T: Send,
    {
        #[cfg(feature = "wasi")]
        if let Some(descriptors) = self.descriptors {
            wasi::add_async(linker, self, descriptors)?;
        }
        #[cfg(feature = "wasi")]
        if let Some(descriptors) = self.open_files {
            wasi::open::add_async(linker, self, descriptors)?;
        }
        #[cfg(feature = "windows")]
        match self.access {
            _ if !self.windows => {}
            Access::Own(get) => windows::add_to_linker_async(linker, get)?,
            Access::Table(_) => windows::refuse(linker, self.access)?,
        }
        if self.locks {
            locks::add_async(linker, self)?;
        }
        if self.storage {
            storage::add_async(linker, self)?;
        }
        if self.changes {
            changes::add_async(linker, self, options)?;
        }
        if self.atomics {
            atomics::add_async(linker, self)?;
        }
        linker::add_async(linker, self, options)
    }
}

impl<T> fmt::Debug for Import<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("name", &self.name).finish_non_exhaustive()
    }
}
