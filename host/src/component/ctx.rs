//! What an embedder puts into a store: [`IommapCtx`], and the view that host calls get of it.

use super::IommapCtxBuilder;
use crate::grants::Grants;
use crate::mapping::{FsPerms, Mapping, Owner};
use crate::usage::local::LocalCounter;
use crate::usage::{Counters, Usage};
use std::sync::Arc;
use wasmtime::component::ResourceTable;

/// The state of one store: what its guest may map, and what it uses.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let host_dir = dir.path();
/// use iommap::{FsPerms, IommapCtx};
/// let ctx = IommapCtx::builder()
///     .preopened_dir(host_dir, "/data", FsPerms::ReadOnly)?
///     .max_mappings(8)
///     .build();
/// assert_eq!(ctx.counters().mappings, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct IommapCtx {
    pub(super) grants: Arc<Grants>,
    pub(super) counter: LocalCounter,
    /// Whom the store is to those who wait for locks.
    pub(super) owner: Owner,
    /// The store's windows, once it has had one.
    #[cfg(feature = "windows")]
    pub(super) windows: Option<Arc<super::windows::WindowSet>>,
    #[cfg(feature = "windows")]
    pub(super) windows_on_changing_files: bool,
    #[cfg(feature = "windows")]
    pub(super) writable_windows: bool,
    #[cfg(feature = "async")]
    pub(super) allow_blocking_current_thread: bool,
}

impl IommapCtx {
    /// A builder that grants nothing yet.
    pub fn builder() -> IommapCtxBuilder {
        IommapCtxBuilder::new()
    }

    /// What the store uses now and did so far.
    pub fn counters(&self) -> Counters {
        self.usage().counters()
    }

    /// The directories that the guest may map files in.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What the store uses. Kept by an embedder, it can be read while the guest runs, and after
    /// the store is gone.
    pub fn usage(&self) -> &Arc<Usage> {
        self.counter.usage()
    }

    /// Shares a mapping with the store's guest under the path `guest_path`, from now on. See
    /// [`Grants::share`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"entries")?;
    /// use iommap::{FsPerms, IommapCtx, Mapping};
    /// use std::sync::Arc;
    ///
    /// let index = Arc::new(Mapping::open(&path)?);
    ///
    /// // One mapping, and a thousand guests that open it as `/shared/index`.
    /// let mut builder = IommapCtx::builder();
    /// builder.share("/shared/index", index.clone(), FsPerms::ReadOnly);
    /// let mut contexts: Vec<IommapCtx> = (0..1000).map(|_| builder.build()).collect();
    /// // For one of them alone, while it runs:
    /// contexts[0].share("/shared/again", index, FsPerms::ReadOnly);
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(
        &mut self,
        guest_path: impl AsRef<str>,
        mapping: impl Into<Arc<Mapping>>,
        perms: FsPerms,
    ) -> &mut IommapCtx {
        Arc::make_mut(&mut self.grants).share(guest_path, mapping, perms);
        self
    }
}

/// What a host call sees of a store: its context, and the table that holds its mappings. The
/// table may be the one that wasmtime-wasi uses, or one of its own.
///
/// ```
/// use iommap::{IommapCtx, IommapCtxView};
/// use wasmtime::component::ResourceTable;
///
/// let (mut ctx, mut table) = (IommapCtx::builder().build(), ResourceTable::new());
/// let view = IommapCtxView { ctx: &mut ctx, table: &mut table };
/// assert_eq!(view.ctx.counters().mappings, 0);
/// ```
#[derive(Debug)]
pub struct IommapCtxView<'a> {
    /// What the guest may map, and what it uses.
    pub ctx: &'a mut IommapCtx,
    /// Where the guest's mappings are kept.
    pub table: &'a mut ResourceTable,
}

/// A store's data that holds an [`IommapCtx`]. See [`add_to_linker`](crate::add_to_linker).
///
/// ```
/// use iommap::{IommapCtx, IommapCtxView, IommapView};
/// use wasmtime::component::ResourceTable;
///
/// struct MyState {
///     iommap: IommapCtx,
///     table: ResourceTable,
/// }
///
/// impl IommapView for MyState {
///     fn iommap(&mut self) -> IommapCtxView<'_> {
///         IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
///     }
/// }
/// ```
pub trait IommapView: Send {
    /// The context and the table.
    fn iommap(&mut self) -> IommapCtxView<'_>;
}
