//! What wit-bindgen makes of the WIT in `wit/`, and nothing else: `tests/guests/bindings` holds it
//! to that.

#![allow(missing_docs, unreachable_pub, reason = "generated; `iommap.wit` is the documentation")]
#![allow(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks, reason = "generated")]

/// `iommap:mmap/changes`, with the mappings of `mmap`.
#[cfg(feature = "changes")]
#[rustfmt::skip]
pub(super) mod changes;
/// `iommap:mmap/atomics`, with the mappings of `mmap`.
#[cfg(feature = "atomics")]
#[rustfmt::skip]
pub(super) mod atomics;
/// `iommap:mmap/locks`, with the mappings of `mmap`.
#[cfg(feature = "locks")]
#[rustfmt::skip]
pub(super) mod locks;
#[rustfmt::skip]
mod mmap;
/// `iommap:mmap/storage`, with the mappings of `mmap`.
#[cfg(feature = "storage")]
#[rustfmt::skip]
pub(super) mod storage;
/// `iommap:wasi`, with the descriptors of the crate `wasip2`.
#[cfg(feature = "wasi")]
#[rustfmt::skip]
pub(super) mod wasi;
/// `iommap:mmap/windows`, with the mappings of `mmap`.
#[cfg(feature = "windows")]
#[rustfmt::skip]
pub(super) mod windows;

pub(super) use mmap::iommap;
