//! What is generated from WIT, and nothing else.

#![allow(missing_docs, unreachable_pub, reason = "generated; `iommap.wit` is the documentation")]

wit_bindgen::generate!({
    path: "wit",
    world: "imports",
    // A user's own bindings of the same world get a section of their own.
    type_section_suffix: "iommap-guest",
});

/// `iommap:wasi`, with the descriptors of the crate `wasip2`.
#[cfg(feature = "wasi")]
pub(super) mod wasi {
    wit_bindgen::generate!({
        path: ["wit", "wit/wasi"],
        world: "iommap:wasi/imports",
        with: {
            "iommap:mmap/types@0.1.0": super::iommap::mmap::types,
            "wasi:filesystem/types@0.2.0": wasip2::filesystem::types,
        },
        type_section_suffix: "iommap-guest-wasi",
    });
}
