//! Who is measured, and for what.

use crate::loops::BATCH;

/// One way to get at a file, or a call that gets at none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    Memcpy,
    MemcpyBatched,
    Syscall,
    Empty,
    Borrowed,
    Single,
    Batched,
    Rust,
    RustInPlace,
    RustCopied,
    RustBatched,
    WasiBlocking,
    WasiDefault,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    Read,
    Write,
    /// Writes to one page and waits until the device has it.
    Sync,
    /// Opens the file and closes it.
    Open,
}

impl Contender {
    /// Those that do a task, native ones first.
    pub(crate) fn all(task: Task) -> &'static [Contender] {
        use Contender::*;
        match task {
            Task::Read => &[
                Memcpy,
                MemcpyBatched,
                Syscall,
                Empty,
                Borrowed,
                Single,
                Batched,
                Rust,
                RustInPlace,
                RustCopied,
                RustBatched,
                WasiBlocking,
                WasiDefault,
            ],
            Task::Write => &[Memcpy, Syscall, Single, Batched, Rust, WasiBlocking, WasiDefault],
            Task::Sync | Task::Open => &[Memcpy, Syscall, Single, WasiBlocking, WasiDefault],
        }
    }

    /// What it is called in tables.
    pub(crate) fn name(self, task: Task) -> &'static str {
        match (self, task) {
            (Contender::Memcpy, Task::Read) => "native memcpy from the map",
            (Contender::Memcpy, Task::Write) => "native memcpy into the map",
            (Contender::Memcpy, Task::Sync) => "native memcpy and msync(2)",
            (Contender::Memcpy, Task::Open) => "open(2), mmap(2), munmap(2), close(2)",
            (Contender::MemcpyBatched, _) => "native memcpy, an item of 64, back to back",
            (Contender::Syscall, Task::Read) => "pread(2)",
            (Contender::Syscall, Task::Write) => "pwrite(2)",
            (Contender::Syscall, Task::Sync) => "pwrite(2) and fdatasync(2)",
            (Contender::Syscall, Task::Open) => "open(2), close(2)",
            (Contender::Empty, _) => "empty component call",
            (Contender::Borrowed, _) => "empty call, borrowed resource",
            (Contender::Single, Task::Read) => "iommap pread",
            (Contender::Single, Task::Write) => "iommap pwrite",
            (Contender::Single, Task::Sync) => "iommap pwrite and sync-range",
            (Contender::Single, Task::Open) => "iommap open and drop",
            (Contender::Batched, Task::Write) => "iommap pwrite-many, an item of 64",
            (Contender::Batched, _) => "iommap pread-many, an item of 64",
            (Contender::Rust, Task::Write) => "iommap pwrite, Rust guest",
            (Contender::Rust, _) => "iommap pread, Rust guest",
            (Contender::RustInPlace, _) => "iommap read_at, Rust guest",
            (Contender::RustCopied, _) => "iommap pread and a copy, Rust guest",
            (Contender::RustBatched, _) => "iommap pread-many, Rust guest, an item of 64",
            (Contender::WasiBlocking, Task::Read) => "wasi:filesystem read, blocking allowed",
            (Contender::WasiBlocking, Task::Write) => "wasi:filesystem write, blocking allowed",
            (Contender::WasiBlocking, Task::Sync) => "wasi:filesystem sync-data, blocking allowed",
            (Contender::WasiBlocking, Task::Open) => "wasi:filesystem open-at, blocking allowed",
            (Contender::WasiDefault, Task::Read) => "wasi:filesystem read, default",
            (Contender::WasiDefault, Task::Write) => "wasi:filesystem write, default",
            (Contender::WasiDefault, Task::Sync) => "wasi:filesystem sync-data, default",
            (Contender::WasiDefault, Task::Open) => "wasi:filesystem open-at, default",
        }
    }

    /// How many operations one of its calls does.
    pub(crate) fn batch(self) -> u32 {
        match self {
            Contender::MemcpyBatched | Contender::Batched | Contender::RustBatched => BATCH,
            _ => 1,
        }
    }

    /// Does it move bytes?
    pub(crate) fn moves(self) -> bool {
        !matches!(self, Contender::Empty | Contender::Borrowed)
    }
}
