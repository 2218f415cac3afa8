//! `memmap2` for WebAssembly components: the interface of memmap2 0.9.12, by windows of iommap. On unix
//! it maps by `mmap(2)`, with the same answers, so that a program's tests run where they are written.
//!
//! A program keeps its code, and its dependencies theirs. What it takes is a line in the workspace's
//! `Cargo.toml`:
//!
//! ```toml
//! [patch.crates-io]
//! memmap2 = { path = "iommap/memmap2" }
//! ```
//!
//! and a host that lets it: windows, and `iommap:wasi/open-files`, by which an open file is found.
//! `iommap run --limit windows=16 --limit window-bytes=1G …` is such a host.
//!
//! # What may be mapped
//!
//! What windows may show: files that nobody can change any more, and others where the embedder has
//! said so. A file that is neither is an error of [`map`](Mmap::map), of
//! [`io::ErrorKind::Unsupported`](std::io::ErrorKind::Unsupported). A map lies in the guest's own
//! memory, which has to be large enough.
//!
//! # What is answered otherwise than by the real crate
//!
//! - A page that is lost, because somebody cut the file short, is zeros in a component and not a signal:
//!   `iommap_guest::lost` tells whether there was one.
//! - A map that would be longer than its file is an error.
//! - A [`Mmap`] of [`Mmap::map`] can't be made an [`MmapMut`], whatever the file was opened for.
//! - Nothing can be executed: `map_exec` and `make_exec` are errors.
//! - `lock` locks all of the file, in the host's memory, if the file is open still.
//! - Hints that the host has no word for do nothing.
//!
//! `README.md` has what the real crate's tests ask for, one by one.
//!
//! # Why it isn't the real crate on unix
//!
//! Cargo takes a patch for a version of the registry that it patches, and of a registry there can be only one
//! version of each semver-compatible range in a program. So what takes the place of `memmap2` 0.9 can't
//! depend on another `memmap2` 0.9 of crates.io, only on one from elsewhere.

#[cfg(not(any(target_arch = "wasm32", unix)))]
compile_error!(
    "this memmap2 is for WebAssembly components and unix: leave out the patch elsewhere"
);

mod advice;
mod files;
mod inner;
mod maps;
mod options;
mod pages;
mod safe;

pub use advice::{Advice, UncheckedAdvice};
pub use files::{MmapAsRawDesc, MmapRawDescriptor};
pub use maps::{Mmap, MmapMut, MmapRaw};
pub use options::MmapOptions;
#[cfg(target_os = "linux")]
pub use options::RemapOptions;
pub use safe::MapIfSafeError;
