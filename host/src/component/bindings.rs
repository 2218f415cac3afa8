//! What wasmtime's `bindgen!` makes of `wit/`: the types that cross the boundary.
//!
//! The linker is filled by hand in `linker.rs`, since the four calls that move bytes lift and
//! lower through `abi.rs` instead of a `Vec`.

#![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]

#[cfg(not(feature = "windows"))]
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

#[cfg(feature = "windows")]
wasmtime::component::bindgen!({
    path: "wit",
    inline: "
        package iommap:host;
        world everything {
            include iommap:mmap/windows-imports@0.1.0;
            include iommap:mmap/locks-imports@0.1.0;
            include iommap:mmap/storage-imports@0.1.0;
            include iommap:mmap/changes-imports@0.1.0;
            include iommap:mmap/atomics-imports@0.1.0;
        }
    ",
    world: "iommap:host/everything",
    with: {
        "iommap:mmap/types.mapping": crate::component::MappingHandle,
        "iommap:mmap/windows.window": crate::component::windows::WindowHandle,
    },
});

#[cfg(feature = "windows")]
pub use self::iommap::mmap::windows;
pub use self::iommap::mmap::{atomics, batch, changes, locks, storage, types};
