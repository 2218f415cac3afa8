//! Memory-mapped files for WebAssembly components: a wasmtime host for the interface
//! `iommap:mmap` whose mappings survive a file that is cut short under them.
//!
//! A guest holds a `mapping` and reads and writes through it; this crate maps the real file and
//! copies once, between its pages and the guest's memory. A page that vanishes under a mapping is
//! an error to the guest, not a dead process: see [`guard`].
//!
//! # Embedding
//!
//! One crate, one builder, one line for the linker:
//!
#![cfg_attr(feature = "wasi", doc = "```no_run")]
#![cfg_attr(not(feature = "wasi"), doc = "```text")]
//! use iommap::{FsPerms, IommapCtx, IommapCtxView, IommapView};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::{Config, Engine, Store};
//!
//! struct State {
//!     iommap: IommapCtx,
//!     table: ResourceTable,
//! }
//!
//! impl IommapView for State {
//!     fn iommap(&mut self) -> IommapCtxView<'_> {
//!         IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
//!     }
//! }
//!
//! fn main() -> wasmtime::Result<()> {
//!     // A guest without the component model's async saves about 100 ns a call by this, where
//!     // wasmtime is built with its feature `component-model-async`.
//!     let mut config = Config::new();
//!     config.concurrency_support(false);
//!     let engine = Engine::new(&config)?;
//!
//!     let mut linker = Linker::<State>::new(&engine);
//!     iommap::add_to_linker(&mut linker, State::iommap)?;
//!
//!     // Nothing is granted but what is named here.
//!     let iommap = IommapCtx::builder()
//!         .preopened_dir("./indexes", "/indexes", FsPerms::ReadOnly)?
//!         .max_mappings(16)
//!         .max_mapped_bytes(8 << 30)
//!         .build();
//!     let usage = iommap.usage().clone();
//!     let mut store = Store::new(&engine, State { iommap, table: ResourceTable::new() });
//!
//!     let plugin = Component::from_file(&engine, "plugin.wasm")?;
//!     let instance = linker.instantiate(&mut store, &plugin)?;
//!     let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
//!     run.call(&mut store, ())?;
//!     println!("{:?}", usage.counters());
//!     Ok(())
//! }
//! ```
//!
//! With the feature `async`, `add_to_linker_async` lets calls that wait for a device wait on
//! another thread than the executor's. With the feature `wasi`, `wasi::add_to_linker` lets guests
//! map what they have open through WASI. Complete programs: [one guest, which also uses
//! WASI][embed]; [several at once on an executor][executor]; [a folder of plugins][plugins].
//! [Embedding iommap][embedding] has the rest.
//!
#![doc = concat!("[embed]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/examples/embed.rs")]
#![doc = concat!("[executor]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/examples/executor.rs")]
#![doc = concat!("[plugins]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/examples/plugins.rs")]
#![doc = concat!("[embedding]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/embedding.md")]
//!
//! # Many stores on one file
//!
//! Stores that map one file, in one mode and at one length, use one region: one range of address
//! space, one set of page tables. What a guest may open, and what counts against its limits, is the
//! same as ever. [`Grants::common_regions`] says which mappings have a region in common and when one
//! would not want it. [`Grants::share`], which context and builder have too, gives guests a mapping
//! of the embedder's under a path.
//!
//! # Shared memory
//!
//! [`Grants::shared_memory`] gives the guests of many stores a [`SharedMemory`] under a path, whose regions
//! they open as files. No disk has them.
//!
//! # Windows
//!
//! With the feature `windows`, a guest may have pages of a file in its own memory, where it reads
//! them by plain loads. `windows::add_to_linker` defines the interface, and
//! [`docs/windows.md`][windows] says what it is good for and what an embedder should know.
//!
#![doc = concat!("[windows]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/windows.md")]
//!
//! # Locks
//!
//! [`Limits::locks`] lets guests lock ranges of their files, against each other and against other
//! programs. `locks::add_to_linker` defines the interface; native programs have [`Mapping::lock`].
//!
//! # Storage
//!
//! `storage::add_to_linker` lets guests punch holes into files that they may write, allocate blocks, and
//! have a new file's entry or many mappings on the device; native programs have [`Mapping::punch_hole`] and
//! its like.
//!
//! # Changes
//!
//! [`Limits::watches`] lets guests ask what has become of a file since it was mapped, and map anew
//! what its path names now. `changes::add_to_linker` defines the interface; native programs have
//! [`Grants::changed`].
//!
//! # Shared words
//!
//! `atomics::add_to_linker` lets guests read and change words of shared mappings at once, and wait on
//! them where [`Limits::waiters`] allows it; native programs have [`Mapping::change`] and its like.
//!
//! # Without wasmtime
//!
//! `--no-default-features` leaves the native layer: [`Mapping`], [`Grants`], [`Limits`] and the
//! [`guard`], for any Rust program that wants a mapping that can't kill it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("index");
//! # std::fs::write(&path, "0123456789")?;
//! let index = iommap::Mapping::open(&path)?;
//! let mut word = [0; 4];
//! index.pread(index.len()? - 4, &mut word)?;
//! assert_eq!(&word, b"6789");
//! // Another process cuts the file: an error, and not a dead process.
//! std::fs::write(&path, "")?;
//! assert_eq!(index.pread(0, &mut word).unwrap_err(), iommap::ErrorKind::Sigbus);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `component` (default) | the wasmtime host |
//! | `async` | `add_to_linker_async`, on tokio |
//! | `wasi` | `iommap:wasi`: mapping WASI's descriptors; granting WASI the same directories; and `async` |
//! | `windows` | `windows::add_to_linker`: pages of files in a guest's own memory; turns wasmtime's `pooling-allocator` on |

#![cfg_attr(
    not(all(feature = "wasi", feature = "windows")),
    allow(dead_code, unused_imports, reason = "each is used by a feature")
)]

#[cfg(feature = "component")]
mod component;
mod error;
mod grants;
mod mapping;
mod usage;

#[doc(inline)]
pub use iommap_guard as guard;

#[cfg(feature = "wasi")]
pub use component::wasi;
#[cfg(feature = "windows")]
pub use component::windows;
#[cfg(feature = "async")]
pub use component::{AsyncOptions, add_to_linker_async, add_to_linker_async_with};
#[cfg(feature = "component")]
pub use component::{
    Import, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView, MappingHandle, add_to_linker,
};
#[cfg(feature = "component")]
pub use component::{atomics, changes, locks, storage};
pub use error::{Error, ErrorKind};
pub use grants::Grants;
pub use mapping::{
    AccessMode, Advice, Change, FileState, FsPerms, LockMode, Mapping, OpenOptions, Range,
    SharedMemory, SyncMode, Waited,
};
pub use usage::{Budget, BudgetLimits, Counters, Limits, Refusal, Usage};
