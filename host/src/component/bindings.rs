//! What wasmtime's `bindgen!` makes of `wit/iommap.wit`: the types that cross the boundary.
//!
//! The linker is filled by hand in `linker.rs`, since the four calls that move bytes lift and
//! lower through `abi.rs` instead of a `Vec`.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; `wit/iommap.wit` is the documentation"
)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "imports",
    with: { "iommap:mmap/types.mapping": crate::component::MappingHandle },
});

pub use self::iommap::mmap::{batch, types};
