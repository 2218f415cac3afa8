//! Windows: pages of a mapped file in the guest's own memory.
//!
//! A guest names a region of its memory, and the host maps the file there. From then on a load of
//! the guest's reads the page cache, at the speed of a load. What has to be right for that:
//!
//! - **Whose memory it is.** A call tells which memory its options name: that of the instance that
//!   makes it. A guest behind another component has another one, and is told apart by the token
//!   that it puts where the window goes.
//! - **That the memory stays.** wasmtime's own memories lie in a range of addresses that is theirs
//!   until the store goes, and never move while they fit in what was reserved: [`supported`].
//! - **That it is memory again before anybody else has it.** A store's memories go by `munmap`,
//!   which takes windows along. So nothing is undone when a store goes, and nothing is touched
//!   unless the store is there, in a call, and says itself where its memory is.
//! - **What becomes of a lost page.** The guard watches windows and puts zeros there. A store's
//!   watches end with the store, and not with its data, which may outlive its memories
//!   ([`Store::into_data`](wasmtime::Store::into_data)).
//! - **That bytes don't change while the host reads them**, which wasmtime takes for granted of a
//!   guest's memory: [`IommapCtxBuilder::windows_on_changing_files`] has the whole of it.
//!
//! [`IommapCtxBuilder::windows_on_changing_files`]: crate::IommapCtxBuilder::windows_on_changing_files

// Whose memory it is: `abi/region.rs`; where it is: `handle.rs`; the store's watches: `set.rs`.
mod calls;
mod handle;
mod plan;
mod refused;
mod set;
mod watch;

pub(super) use refused::refuse;
pub(super) use set::WindowSet;

pub use calls::add_to_linker;
#[cfg(feature = "async")]
pub use calls::add_to_linker_async;
pub use handle::WindowHandle;

use std::fmt;
use wasmtime::{Engine, WasmFeatures};

/// So much of a memory's addresses is reserved where it never moves: all that 32 bits can name.
const RESERVED: u64 = 1 << 32;

/// Why guests have no windows. See [`supported`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// They are written for Linux, on x86-64 and aarch64.
    System,
    /// The engine has a pool of memories
    /// ([`InstanceAllocationStrategy::Pooling`](wasmtime::InstanceAllocationStrategy::Pooling)): the
    /// next guest would find the windows of the one before.
    Pooled,
    /// A memory may move when it grows, and would leave its windows behind
    /// ([`Config::memory_reservation`](wasmtime::Config::memory_reservation) is less than 4 GiB, and
    /// [`Config::memory_may_move`](wasmtime::Config::memory_may_move) is on; or components may have
    /// memories of 64 bits).
    Movable,
    /// Memories may be those of a [`MemoryCreator`](wasmtime::MemoryCreator), of which nothing is
    /// known ([`Config::memory_init_cow`](wasmtime::Config::memory_init_cow) is off).
    Foreign,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unsupported::System => "windows are written for Linux on x86-64 and aarch64",
            Unsupported::Pooled => "the engine's memories are pooled",
            Unsupported::Movable => {
                "memories may move: less is reserved for each than it may grow to"
            }
            Unsupported::Foreign => {
                "memories may be a MemoryCreator's: memory_init_cow is turned off"
            }
        })
    }
}

impl std::error::Error for Unsupported {}

/// Can guests of this engine have windows? If not, they are told `enotsup`, and go on by `pread`.
///
/// They can on an engine as [`Config::new`](wasmtime::Config::new) makes it. What is needed are
/// memories that stay where they are until their store goes, and are unmapped then.
///
/// An embedder with a [`MemoryCreator`](wasmtime::MemoryCreator) must not add windows, and turns
/// `memory_init_cow` off, by which it is known here. wasmtime insists on that only for memories with
/// initial contents, by a panic: a creator with it left on is not found out.
///
/// ```
/// # fn main() -> wasmtime::Result<()> {
/// use iommap::windows::{Unsupported, supported};
/// use wasmtime::{Config, Engine};
///
/// # if cfg!(target_os = "linux") {
/// assert_eq!(supported(&Engine::default()), Ok(()));
/// # }
/// let mut config = Config::new();
/// config.memory_reservation(1 << 20);
/// # if cfg!(target_os = "linux") {
/// assert_eq!(supported(&Engine::new(&config)?), Err(Unsupported::Movable));
/// # }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The reason.
pub fn supported(engine: &Engine) -> Result<(), Unsupported> {
    if !watch::HERE {
        return Err(Unsupported::System);
    }
    if engine.pooling_allocator_metrics().is_some() {
        return Err(Unsupported::Pooled);
    }
    // Memories of 64 bits outgrow whatever was reserved.
    let wide = engine.get_wasm_features().contains(WasmFeatures::CM64);
    let reserved = engine.get_memory_reservation() >= RESERVED && !wide;
    if engine.get_memory_may_move() && !reserved {
        return Err(Unsupported::Movable);
    }
    if !engine.get_memory_init_cow() {
        return Err(Unsupported::Foreign);
    }
    Ok(())
}
