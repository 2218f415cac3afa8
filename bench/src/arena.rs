//! All contenders on the same file, and what each does for a given task.

use crate::boundary::{self, Code};
use crate::cases::{Case, LONGEST_BATCH, PAGE, Place};
use crate::contenders::{Contender, Task};
use crate::embedding::{Embedding, FILE_NAME};
use crate::guest::Guest;
use crate::loops::Loop;
use crate::native::Native;
use crate::offsets::{FILE_BYTES, Work};
use crate::rust_guest::{self, RustLoop};
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Result, bail};

/// All contenders, ready to run on the same file.
pub(crate) struct Arena {
    native: Native,
    /// Blocking is allowed here. For all but wasi:filesystem that makes no difference.
    boundary: Guest<Loop>,
    boundary_default: Guest<Loop>,
    rust: Guest<RustLoop>,
}

impl Arena {
    pub(crate) fn new(
        embedding: &Embedding,
        code: &Code,
        rust_guest: &Component,
        dir: &Path,
    ) -> Result<Arena> {
        Ok(Arena {
            native: Native::new(&dir.join(FILE_NAME))?,
            boundary: boundary::guest(embedding, code, dir, true)?,
            boundary_default: boundary::guest(embedding, code, dir, false)?,
            rust: rust_guest::guest(embedding, rust_guest, dir)?,
        })
    }

    /// Has a contender do its work and returns the state of its generator.
    pub(crate) fn run(&mut self, contender: Contender, task: Task, work: Work) -> Result<u64> {
        use Contender::*;
        let native = &mut self.native;
        match (contender, task) {
            (Memcpy, Task::Read) => Ok(native.copy_out(work)),
            (Memcpy, Task::Write) => Ok(native.copy_in(work)),
            (Memcpy, Task::Sync) => native.copy_in_and_sync(work),
            (Memcpy, Task::Open) => native.open(work, true),
            (MemcpyBatched, Task::Read) => Ok(native.copy_out_many(work)),
            (Syscall, Task::Read) => native.pread(work),
            (Syscall, Task::Write) => native.pwrite(work),
            (Syscall, Task::Sync) => native.pwrite_and_sync(work),
            (Syscall, Task::Open) => native.open(work, false),
            (Empty, _) => self.boundary.run(Loop::Empty as usize, work),
            (Borrowed, _) => self.boundary.run(Loop::Borrowed as usize, work),
            (Single, Task::Read) => self.boundary.run(Loop::Pread as usize, work),
            (Single, Task::Write) => self.boundary.run(Loop::Pwrite as usize, work),
            (Single, Task::Sync) => self.boundary.run(Loop::Sync as usize, work),
            (Single, Task::Open) => self.boundary.run(Loop::Open as usize, work),
            (Batched, Task::Read) => self.boundary.run(Loop::PreadMany as usize, work),
            (Batched, Task::Write) => self.boundary.run(Loop::PwriteMany as usize, work),
            (Rust, Task::Read) => self.rust.run(RustLoop::Pread as usize, work),
            (Rust, Task::Write) => self.rust.run(RustLoop::Pwrite as usize, work),
            (RustInPlace, Task::Read) => self.rust.run(RustLoop::ReadAt as usize, work),
            (RustCopied, Task::Read) => self.rust.run(RustLoop::PreadAndCopy as usize, work),
            (RustBatched, Task::Read) => self.rust.run(RustLoop::PreadMany as usize, work),
            (WasiBlocking, task) => self.boundary.run(wasi_loop(task) as usize, work),
            (WasiDefault, task) => self.boundary_default.run(wasi_loop(task) as usize, work),
            (MemcpyBatched | Batched | Rust | RustInPlace | RustCopied | RustBatched, _) => {
                bail!("{contender:?} has no {task:?}")
            }
        }
    }

    /// What the last operation of a contender read: `bytes` bytes.
    pub(crate) fn peek(&mut self, contender: Contender, bytes: usize) -> Result<Vec<u8>> {
        use Contender::*;
        match contender {
            MemcpyBatched => Ok(self.native.peek_many(bytes)),
            Memcpy | Syscall => Ok(self.native.peek(bytes)),
            Empty | Borrowed | Single | Batched | WasiBlocking => self.boundary.peek(),
            WasiDefault => self.boundary_default.peek(),
            Rust | RustInPlace | RustCopied | RustBatched => self.rust.peek(),
        }
    }

    /// What all contenders write from now on.
    pub(crate) fn poke(&mut self, data: &[u8]) -> Result<()> {
        let longest = data.len().min(1 << 20);
        self.native.poke(&data[..longest]);
        self.boundary.poke(data)?;
        self.boundary_default.poke(data)?;
        self.rust.poke(data)
    }

    /// Makes the file and its maps ready for a case that writes: on the device, so that the kernel
    /// doesn't begin to write it back meanwhile; and, unless the case is about that, each page
    /// dirty in each map, so that no first write to one is measured.
    pub(crate) fn settle(&mut self, case: Case) -> Result<()> {
        self.native.file().sync_all()?;
        if case.task == Task::Write {
            let pages = Case { place: Place::Sequence, size: PAGE, ..case };
            self.poke(&[0; PAGE as usize])?;
            for contender in [Contender::Memcpy, Contender::Single, Contender::Rust] {
                self.run(contender, Task::Write, pages.work((FILE_BYTES / PAGE as u64) as u32, 0))?;
            }
            self.poke(&vec![1; LONGEST_BATCH as usize])?;
        }
        Ok(())
    }

    /// The native contender, for its file.
    pub(crate) fn native(&self) -> &Native {
        &self.native
    }
}

fn wasi_loop(task: Task) -> Loop {
    match task {
        Task::Read => Loop::WasiRead,
        Task::Write => Loop::WasiWrite,
        Task::Sync => Loop::WasiSync,
        Task::Open => Loop::WasiOpen,
    }
}
