//! The native layer: a module for each subject, in one program. What may crash, or changes the
//! whole process, runs in a child of its test: see `support`.
//!
//! What looks into `/proc`, mounts something or knows Linux by its calls is for Linux alone.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "helpers of what is for Linux"))]

mod batch;
mod changes;
mod close;
mod common_region;
mod disk;
mod durability;
mod ext4;
mod faults;
mod file;
mod file_locks;
mod file_locks_processes;
mod file_locks_waiting;
mod hints;
mod kinds;
mod lend;
mod limits;
mod lock;
mod model;
mod open;
mod paths;
mod private;
mod process_limits;
mod races_data;
mod races_files;
mod races_grants;
mod races_others;
mod races_private;
mod races_process;
mod races_sync;
mod shared_memory;
mod storage;
mod storage_sync;
mod support;
mod swaps;
mod threads;
mod transfer;
mod truncate;
mod undo;
mod words;
mod words_waiting;
