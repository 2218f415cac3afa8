//! What is generated from WIT, and nothing else.

#![allow(missing_docs, unreachable_pub, reason = "generated; `iommap.wit` is the documentation")]

wit_bindgen::generate!({
    path: "wit",
    world: "imports",
    // A user's own bindings of the same world get a section of their own.
    type_section_suffix: "iommap-guest",
});
