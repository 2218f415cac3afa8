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
#![cfg_attr(feature = "component", doc = "```no_run")]
#![cfg_attr(not(feature = "component"), doc = "```text")]
//! use iommap::{FsPerms, IommapCtx, IommapCtxView, IommapView};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::{Engine, Store};
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
//! // Where wasmtime is built with its feature `component-model-async`, an engine whose `Config` has
//! // `concurrency_support(false)` saves a guest without async functions about 100 ns a call.
//! fn run(engine: &Engine, plugin: &Component) -> wasmtime::Result<()> {
//!     let mut linker = Linker::<State>::new(engine);
//!     iommap::add_to_linker(&mut linker, State::iommap)?;
//!
//!     // Nothing is granted but what is named here.
//!     let iommap = IommapCtx::builder()
//!         .preopened_dir("./indexes", "/indexes", FsPerms::ReadOnly)?
//!         .max_mappings(16)
//!         .max_mapped_bytes(8 << 30)
//!         .build();
//!     let account = iommap.account().clone();
//!     let mut store = Store::new(engine, State { iommap, table: ResourceTable::new() });
//!
//!     let instance = linker.instantiate(&mut store, plugin)?;
//!     let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
//!     run.call(&mut store, ())?;
//!     println!("{:?}", account.counters());
//!     Ok(())
//! }
//! ```
//!
//! With the feature `async`, `add_to_linker_async` lets calls that wait for a device wait on
//! another thread than the executor's. With the feature `wasi`, `wasi::add_to_linker` lets guests
//! map what they have open through WASI. `examples/embed.rs` runs a guest that also uses WASI,
//! `examples/plugins.rs` a folder of plugins, and `docs/embedding.md` has the rest.
//!
//! # Many stores on one file
//!
//! Stores that map one file, in one mode and at one length, use one region: one range of address
//! space, one set of page tables. What a guest may open, and what it is charged, is the same as
//! ever. [`Grants::share_regions`] says what is shared and when one would not want it.
//! [`Grants::share`], which context and builder have too, gives guests a mapping of the
//! embedder's under a path.
//!
//! # Without wasmtime
//!
//! `--no-default-features` leaves the native layer: [`Mapping`], [`Grants`], [`Limits`] and the
//! [`guard`], for any Rust program that wants a mapping that can't kill it.
//!
//! # Reading order
//!
//! From the guest to the page: `bindings` (the generated types), `ctx` (what an embedder sets
//! up), `linker`, `offload` and `wasi` (every call, on each kind of store), `host` (conversions),
//! `abi` (the copy paths), [`mapping`] (the domain), [`guard`] (the copy that can't kill). Beside
//! them [`error`], `diagnostics` (what the log says), `grants`, `limits` and `held` (whether a store
//! has a mapping alone). `mapping` and `guard` know nothing of wasm.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `component` (default) | the wasmtime host |
//! | `async` | `add_to_linker_async`, on tokio |
//! | `wasi` | `iommap:wasi`: mapping WASI's descriptors; granting WASI the same directories; and `async` |

#[cfg(feature = "component")]
mod abi;
#[cfg(feature = "component")]
mod bindings;
#[cfg(feature = "component")]
mod ctx;
#[cfg(feature = "component")]
mod diagnostics;
pub mod error;
mod grants;
pub mod guard;
#[cfg(feature = "component")]
mod held;
#[cfg(feature = "component")]
mod host;
mod limits;
#[cfg(feature = "component")]
mod linker;
pub mod mapping;
#[cfg(feature = "async")]
mod offload;
#[cfg(feature = "wasi")]
pub mod wasi;

#[cfg(feature = "component")]
pub use ctx::{Iommap, IommapCtx, IommapCtxBuilder, IommapCtxView, IommapView, MappingHandle};
pub use error::Error;
pub use grants::{FsPerms, Grants};
pub use limits::{Account, Counters, Limits};
#[cfg(feature = "component")]
pub use linker::add_to_linker;
#[cfg(feature = "async")]
pub use linker::{AsyncOptions, add_to_linker_async, add_to_linker_async_with};
pub use mapping::options::{AccessMode, Advice, OpenOptions, SyncMode};
pub use mapping::{Mapping, Range};
