// Made of `wit/` by `tests/guests/bindings`. DO NOT EDIT!

use super::{List, Optional, Reply};

pub mod types {
    use super::*;
    #[derive(Default)]
    #[repr(C, u8)]
    pub enum ErrorCode {
        #[default]
        Badarg,
        Enomem,
        Enoent,
        Eacces,
        Closed,
        OutOfBounds,
        Sigbus,
        Eexist,
        Enotreg,
        Enospc,
        Efbig,
        Emfile,
        LimitExceeded,
        Enotsup,
        Eio,
        Other(Optional<List>),
    }
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum AccessMode {
        Read,
        Write,
        ReadWrite,
    }
    pub mod open_flags {
        pub const SHARED: u8 = 1 << 0;
        pub const PRIVATE: u8 = 1 << 1;
        pub const LOCK: u8 = 1 << 2;
        pub const POPULATE: u8 = 1 << 3;
        pub const NOCACHE: u8 = 1 << 4;
        pub const CREATE: u8 = 1 << 5;
        pub const TRUNCATE: u8 = 1 << 6;
        pub const EXCLUSIVE: u8 = 1 << 7;
    }
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum SyncMode {
        Sync,
        Async,
    }
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum Advice {
        Normal,
        Random,
        Sequential,
        Willneed,
        Dontneed,
    }
    #[link(wasm_import_module = "iommap:mmap/types@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[resource-drop]mapping"]
        pub safe fn drop_mapping(mapping: u32);
        #[link_name = "[static]mapping.open"]
        pub fn open(path: *const u8, path_length: usize, mode: AccessMode, options: u8, has_size: bool, size: u64, reply: &mut Reply<u32>);
        #[link_name = "[method]mapping.close"]
        pub safe fn close(mapping: u32, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.pread"]
        pub safe fn pread(mapping: u32, offset: u64, length: u64, reply: &mut Reply<List>);
        #[link_name = "[method]mapping.pwrite"]
        pub fn pwrite(mapping: u32, offset: u64, data: *const u8, data_length: usize, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.sync"]
        pub safe fn sync(mapping: u32, mode: SyncMode, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.sync-range"]
        pub safe fn sync_range(mapping: u32, offset: u64, length: u64, mode: SyncMode, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.truncate"]
        pub safe fn truncate(mapping: u32, new_size: u64, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.advise"]
        pub safe fn advise(mapping: u32, offset: u64, length: u64, hint: Advice, reply: &mut Reply<()>);
        #[link_name = "[method]mapping.position"]
        pub safe fn position(mapping: u32, reply: &mut Reply<u64>);
    }
}
pub mod batch {
    use super::*;
    #[derive(Default)]
    #[repr(C)]
    pub struct Range {
        pub offset: u64,
        pub length: u64,
    }
    #[link(wasm_import_module = "iommap:mmap/batch@0.1.0")]
    unsafe extern "C" {
        #[link_name = "pread-many"]
        pub fn pread_many(source: u32, ranges: *const Range, ranges_length: usize, reply: &mut Reply<List>);
        #[link_name = "pwrite-many"]
        pub fn pwrite_many(target: u32, ranges: *const Range, ranges_length: usize, data: *const u8, data_length: usize, reply: &mut Reply<()>);
    }
}
#[cfg(feature = "atomics")]
pub mod atomics {
    use super::*;
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum Change {
        Add,
        And,
        Or,
        Xor,
        Exchange,
    }
    #[derive(Default)]
    #[repr(C, u8)]
    pub enum Outcome {
        #[default]
        Woken,
        NotEqual,
        TimedOut,
        Again(Optional<u64>),
    }
    #[link(wasm_import_module = "iommap:mmap/atomics@0.1.0")]
    unsafe extern "C" {
        #[link_name = "load-u32"]
        pub safe fn load_u32(mapping: u32, offset: u64, reply: &mut Reply<u32>);
        #[link_name = "store-u32"]
        pub safe fn store_u32(mapping: u32, offset: u64, value: u32, reply: &mut Reply<()>);
        #[link_name = "change-u32"]
        pub safe fn change_u32(mapping: u32, offset: u64, change: Change, value: u32, reply: &mut Reply<u32>);
        #[link_name = "compare-exchange-u32"]
        pub safe fn compare_exchange_u32(mapping: u32, offset: u64, expected: u32, replacement: u32, reply: &mut Reply<u32>);
        #[link_name = "load-u64"]
        pub safe fn load_u64(mapping: u32, offset: u64, reply: &mut Reply<u64>);
        #[link_name = "store-u64"]
        pub safe fn store_u64(mapping: u32, offset: u64, value: u64, reply: &mut Reply<()>);
        #[link_name = "change-u64"]
        pub safe fn change_u64(mapping: u32, offset: u64, change: Change, value: u64, reply: &mut Reply<u64>);
        #[link_name = "compare-exchange-u64"]
        pub safe fn compare_exchange_u64(mapping: u32, offset: u64, expected: u64, replacement: u64, reply: &mut Reply<u64>);
        #[link_name = "wait"]
        pub safe fn wait(mapping: u32, offset: u64, expected: u32, has_timeout: bool, timeout: u64, reply: &mut Reply<Outcome>);
        #[link_name = "notify"]
        pub safe fn notify(mapping: u32, offset: u64, count: u32, reply: &mut Reply<u32>);
    }
}
#[cfg(feature = "changes")]
pub mod changes {
    use super::*;
    pub mod differences {
        pub const SHORTER: u8 = 1 << 0;
        pub const LONGER: u8 = 1 << 1;
        pub const MODIFIED: u8 = 1 << 2;
        pub const REPLACED: u8 = 1 << 3;
        pub const GONE: u8 = 1 << 4;
    }
    #[derive(Default)]
    #[repr(C)]
    pub struct FileState {
        pub length: u64,
        pub modified_at: u64,
        pub differences: u8,
    }
    #[repr(C, u8)]
    pub enum Outcome {
        Changed(FileState),
        Same,
        Again(Optional<u64>),
    }
    #[link(wasm_import_module = "iommap:mmap/changes@0.1.0")]
    unsafe extern "C" {
        #[link_name = "changed"]
        pub safe fn changed(mapping: u32, reply: &mut Reply<FileState>);
        #[link_name = "file-length"]
        pub safe fn file_length(mapping: u32, reply: &mut Reply<u64>);
        #[link_name = "read-up-to"]
        pub safe fn read_up_to(mapping: u32, offset: u64, length: u64, reply: &mut Reply<List>);
        #[link_name = "read-strict"]
        pub safe fn read_strict(mapping: u32, offset: u64, length: u64, reply: &mut Reply<List>);
        #[link_name = "remap"]
        pub safe fn remap(mapping: u32, reply: &mut Reply<u32>);
        #[link_name = "wait-for-change"]
        pub safe fn wait_for_change(mapping: u32, known_length: u64, known_modified_at: u64, known_differences: u8, has_wait: bool, wait: u64, reply: &mut Reply<Outcome>);
    }
}
#[cfg(feature = "locks")]
pub mod locks {
    use super::*;
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum LockMode {
        Shared,
        Exclusive,
    }
    #[derive(Clone, Copy)]
    #[repr(u8)]
    pub enum Outcome {
        Locked,
        Busy,
        Deadlock,
        Again,
    }
    #[link(wasm_import_module = "iommap:mmap/locks@0.1.0")]
    unsafe extern "C" {
        #[link_name = "lock"]
        pub safe fn lock(mapping: u32, offset: u64, length: u64, mode: LockMode, has_wait: bool, wait: u64, reply: &mut Reply<Outcome>);
        #[link_name = "unlock"]
        pub safe fn unlock(mapping: u32, offset: u64, length: u64, reply: &mut Reply<()>);
        #[link_name = "would-lock"]
        pub safe fn would_lock(mapping: u32, offset: u64, length: u64, mode: LockMode, reply: &mut Reply<bool>);
    }
}
#[cfg(feature = "storage")]
pub mod storage {
    use super::*;
    #[derive(Default)]
    #[repr(C)]
    pub struct SyncFailure {
        pub index: u32,
        pub code: types::ErrorCode,
    }
    #[link(wasm_import_module = "iommap:mmap/storage@0.1.0")]
    unsafe extern "C" {
        #[link_name = "punch-hole"]
        pub safe fn punch_hole(mapping: u32, offset: u64, length: u64, reply: &mut Reply<()>);
        #[link_name = "zero-range"]
        pub safe fn zero_range(mapping: u32, offset: u64, length: u64, reply: &mut Reply<()>);
        #[link_name = "allocate"]
        pub safe fn allocate(mapping: u32, offset: u64, length: u64, reply: &mut Reply<()>);
        #[link_name = "sync-entry"]
        pub safe fn sync_entry(mapping: u32, reply: &mut Reply<()>);
        #[link_name = "sync-many"]
        pub fn sync_many(mappings: *const u32, mappings_length: usize, reply: &mut Reply<(), SyncFailure>);
    }
}
#[cfg(feature = "windows")]
pub mod windows {
    use super::*;
    #[derive(Default)]
    #[repr(C)]
    pub struct Region {
        pub address: u64,
        pub length: u64,
        pub token: u64,
    }
    pub mod window_flags {
        pub const SHARED: u8 = 1 << 0;
        pub const POPULATE: u8 = 1 << 1;
        pub const FROZEN: u8 = 1 << 2;
    }
    #[link(wasm_import_module = "iommap:mmap/windows@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[resource-drop]window"]
        pub fn drop_window(window: u32);
        #[link_name = "[static]window.open"]
        pub fn open(source: u32, offset: u64, length: u64, place_address: u64, place_length: u64, place_token: u64, options: u8, reply: &mut Reply<u32>);
        #[link_name = "[method]window.move-to"]
        pub fn move_to(window: u32, source: u32, offset: u64, length: u64, options: u8, reply: &mut Reply<()>);
        #[link_name = "[method]window.check"]
        pub fn check(window: u32, reply: &mut Reply<()>);
        #[link_name = "[method]window.close"]
        pub fn close(window: u32, reply: &mut Reply<()>);
        #[link_name = "[method]window.prefetch"]
        pub fn prefetch(window: u32, offset: u64, length: u64, reply: &mut Reply<()>);
    }
}
#[cfg(feature = "wasi")]
pub mod files {
    use super::*;
    #[link(wasm_import_module = "iommap:wasi/files@0.1.0")]
    unsafe extern "C" {
        #[link_name = "map-descriptor"]
        pub safe fn map_descriptor(file: u32, mode: types::AccessMode, options: u8, has_size: bool, size: u64, reply: &mut Reply<u32>);
    }
}
#[cfg(feature = "wasi")]
pub mod open_files {
    use super::*;
    #[link(wasm_import_module = "iommap:wasi/open-files@0.1.0")]
    unsafe extern "C" {
        #[link_name = "map-open"]
        pub safe fn map_open(hash: u64, mode: types::AccessMode, options: u8, has_size: bool, size: u64, reply: &mut Reply<u32>);
    }
}
