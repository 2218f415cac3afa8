//! What `bindgen!` makes of the WIT that tests speak as hosts.

#![allow(missing_docs, reason = "generated; the WIT is the documentation")]

/// `iommap:mmap`.
pub mod mmap {
    wasmtime::component::bindgen!({ path: "../wit", world: "imports" });
}

/// The guest `hammer`.
pub mod hammer {
    wasmtime::component::bindgen!({
        path: ["../wit", "guests/hammer/wit"],
        world: "iommap:test/hammer",
    });
}
