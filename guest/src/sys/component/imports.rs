//! The functions that are called by hand: those that move bytes into a buffer of the caller's, or
//! take a list of [`Range`].
//!
//! They are the same imports that the generated bindings have, whose description of the interface
//! is the one that counts; numbers of 64 bits and addresses are passed as they are.

use crate::Range;

#[link(wasm_import_module = "iommap:mmap/types@0.1.0")]
unsafe extern "C" {
    #[link_name = "[method]mapping.pread"]
    pub(super) fn pread(mapping: u32, offset: u64, length: u64, reply: *mut u8);
}

#[link(wasm_import_module = "iommap:mmap/batch@0.1.0")]
unsafe extern "C" {
    #[link_name = "pread-many"]
    pub(super) fn pread_many(mapping: u32, ranges: *const Range, n: usize, reply: *mut u8);

    #[link_name = "pwrite-many"]
    pub(super) fn pwrite_many(
        mapping: u32,
        ranges: *const Range,
        n: usize,
        data: *const u8,
        length: usize,
        reply: *mut u8,
    );
}

#[cfg(feature = "changes")]
#[link(wasm_import_module = "iommap:mmap/changes@0.1.0")]
unsafe extern "C" {
    #[link_name = "read-up-to"]
    pub(super) fn read_up_to(mapping: u32, offset: u64, length: u64, reply: *mut u8);

    #[link_name = "read-strict"]
    pub(super) fn read_strict(mapping: u32, offset: u64, length: u64, reply: *mut u8);
}
