//! The wasmtime host: everything that knows of components.
//!
//! | file | what is in it |
//! |---|---|
//! | `bindings` | the types that wasmtime makes of `wit/` |
//! | `ctx`, `builder`, `handle` | what an embedder sets up, and what a store's table holds |
//! | `import`, `access`, `opener` | under which name the interface is added, and where its calls find what they need |
//! | `linker` | every function of the interface, defined for sync and async stores |
//! | `waiting`, `offload` | calls that wait for a device: where they are, or on another thread |
//! | `abi` | the copy between a page and the guest's memory |
//! | `convert` | the interface's types to the domain's and back |
//! | `log` | what the host's log says of calls |
//! | `locks` | locks on ranges of files, and those that a server grants |
//! | `storage` | holes and blocks, the file's entry, many mappings on the device at once |
//! | `changes` | what has become of files |
//! | `atomics` | words that are read and changed at once |
//! | `windows` | pages of files in guests' memories |
//! | `wasi` | `iommap:wasi`, for what is open through WASI |

mod abi;
mod access;
pub mod atomics;
mod bindings;
mod builder;
pub mod changes;
mod convert;
mod ctx;
mod handle;
mod import;
mod linker;
pub mod locks;
mod log;
#[cfg(feature = "async")]
mod offload;
mod opener;
pub mod storage;
mod waiting;
#[cfg(feature = "wasi")]
pub mod wasi;
#[cfg(feature = "windows")]
pub mod windows;

pub use builder::IommapCtxBuilder;
pub use ctx::{IommapCtx, IommapCtxView, IommapView};
pub use handle::MappingHandle;
pub use import::Import;
pub use linker::add_to_linker;
#[cfg(feature = "async")]
pub use linker::{AsyncOptions, add_to_linker_async, add_to_linker_async_with};

use bindings::types::ErrorCode;
use wasmtime::component::Resource;

/// A mapping as a guest passes it.
type Handle = Resource<MappingHandle>;

/// What a guest gets back.
type Answer<R> = (Result<R, ErrorCode>,);

/// How the view of a store is found in its data.
type Getter<T> = fn(&mut T) -> IommapCtxView<'_>;
