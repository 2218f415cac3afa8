//! What wasmtime's `bindgen!` makes of `wit/`: the types that cross the boundary.
//!
//! The linker is filled by hand in `linker.rs`, since the four calls that move bytes lift and
//! lower through `abi.rs` instead of a `Vec`.

#![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]

wasmtime::component::bindgen!({
    path: "wit",
    inline: "
        package iommap:host;
        world everything {
            include iommap:mmap/locks-imports@0.1.0;
            include iommap:mmap/storage-imports@0.1.0;
            include iommap:mmap/changes-imports@0.1.0;
            include iommap:mmap/atomics-imports@0.1.0;
        }
    ",
    world: "iommap:host/everything",
    with: { "iommap:mmap/types.mapping": crate::component::MappingHandle },
});

/// What a feature adds, on the types of the others.
#[cfg(feature = "windows")]
mod with_windows {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "iommap:mmap/windows-imports",
        with: {
            "iommap:mmap/types": super::types,
            "iommap:mmap/batch": super::batch,
            "iommap:mmap/windows.window": crate::component::windows::WindowHandle,
        },
    });
}

pub use self::iommap::mmap::{atomics, batch, changes, locks, storage, types};
#[cfg(feature = "windows")]
pub use self::with_windows::iommap::mmap::windows;
