//! What wasmtime's `bindgen!` makes of `wit/`: the types that cross the boundary.
//!
//! The linker is filled by hand in `linker.rs`, since the four calls that move bytes lift and
//! lower through `abi.rs` instead of a `Vec`.

#![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]

#[cfg(not(feature = "windows"))]
wasmtime::component::bindgen!({
    path: "wit",
    world: "imports",
    with: { "iommap:mmap/types.mapping": crate::component::MappingHandle },
});

#[cfg(feature = "windows")]
wasmtime::component::bindgen!({
    path: "wit",
    world: "windows-imports",
    with: {
        "iommap:mmap/types.mapping": crate::component::MappingHandle,
        "iommap:mmap/windows.window": crate::component::windows::WindowHandle,
    },
});

#[cfg(feature = "windows")]
pub use self::iommap::mmap::windows;
pub use self::iommap::mmap::{batch, types};
