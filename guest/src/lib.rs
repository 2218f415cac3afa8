//! Memory-mapped files in WebAssembly guests, in the manner of `std::fs`.
//!
//! A component that uses this crate imports the interface `iommap:mmap`, which the `iommap` host
//! provides: the host maps the file, and the guest reads, writes and resizes it through a
//! [`Mapping`]. A file that is cut short meanwhile is an error and not a crash.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("counters");
//! use iommap_guest::Mapping;
//!
//! let counters = Mapping::options().read(true).write(true).create(true).size(4096).open(&path)?;
//! counters.write_all_at(8, &1u64.to_le_bytes())?;
//! let mut counter = [0; 8];
//! counters.read_exact_at(8, &mut counter)?;
//! assert_eq!(u64::from_le_bytes(counter), 1);
//! counters.sync()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Reads land in the caller's buffer
//!
//! [`Mapping::read_at`] and its like have the host write into the buffer that they are given. The
//! canonical ABI asks a component for memory before it returns a list, and with the feature
//! `in-place` the answer is that buffer: no allocation, one copy. For that the program exports a
//! `cabi_import_realloc`, which leaves everything else to the `cabi_realloc` that there is anyway.
//! There can be one in a program, and so one version of this crate with that feature. Without it,
//! or if the export is not taken notice of, or with threads in wasm, the same calls allocate and
//! copy.
//!
//! # Outside of wasm
//!
//! On other targets than wasm32 a mapping is an ordinary file, by its path on the machine, so that
//! a guest's own tests run by `cargo test`, as the examples here do. It makes the same checks, in
//! the same order and with the same answers, a file that is cut included. It knows no grants and no
//! limits, and hints do nothing.
//!
//! # Features
//!
//! | feature | what it brings |
//! |---|---|
//! | `std` (default) | cursors with `std::io`'s traits, conversions to `std::io::Error`, paths that are `std::path::Path`; without it the crate needs `alloc` only |
//! | `in-place` (default) | reads that land in the caller's buffer, as above |
//! | `wasi` | `OpenOptions::map_file` and `map_descriptor`, for what is open through WASI; imports `iommap:wasi`; brings `std` |
//! | `locks` | `Mapping::lock` and its like: locks on files and ranges of them, against other components and native programs; imports `iommap:mmap/locks`, which the host has to know, also where it answers that it has none |
//! | `storage` | `Mapping::punch_hole`, `zero_range`, `allocate`, `sync_entry`, and `sync_all` for many mappings; imports `iommap:mmap/storage`, which the host has to know |
//! | `changes` | `Mapping::changed`, `remap` and their like: what has become of a file since it was mapped; imports `iommap:mmap/changes`, which the host has to know, also where it answers that it tells nothing |
//! | `atomics` | `AtomicU32` and `AtomicU64`: words of a mapping that all who map the file read and change at once, and wait on; imports `iommap:mmap/atomics`, which the host has to know |
//! | `windows` | `Window` and `Windows`: pages of a mapping in the guest's own memory, read without a call; imports `iommap:mmap/windows`, which the host has to know, also where it answers that it has none |

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
extern crate std;

#[cfg(feature = "atomics")]
mod atomics;
#[cfg(feature = "changes")]
mod changes;
#[cfg(feature = "std")]
mod cursor;
mod error;
#[cfg(feature = "locks")]
mod lock;
mod mapping;
mod options;
mod path;
#[cfg(feature = "storage")]
mod storage;
mod sys;
#[cfg(all(feature = "wasi", any(target_arch = "wasm32", unix)))]
mod wasi;
#[cfg(feature = "windows")]
mod window;
#[cfg(feature = "windows")]
mod windows;

#[cfg(feature = "atomics")]
pub use atomics::{AtomicU32, AtomicU64, Waited};
#[cfg(feature = "changes")]
pub use changes::FileState;
#[cfg(feature = "std")]
pub use cursor::{Reader, Writer};
pub use error::{Error, ErrorKind};
#[cfg(feature = "locks")]
pub use lock::{LockMode, LockWait, Locked};
pub use mapping::{Advice, Mapping, Range, SyncMode};
pub use options::OpenOptions;
pub use path::GuestPath;
#[cfg(feature = "storage")]
pub use storage::sync_all;
#[cfg(all(feature = "windows", feature = "std"))]
pub use window::lost;
#[cfg(feature = "windows")]
pub use window::{FrozenWindow, View, Window, WindowOptions};
#[cfg(feature = "windows")]
pub use windows::{Piece, Windows};
