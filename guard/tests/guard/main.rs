//! The guard's tests: one program, which is also each test's child process.

mod copy;
mod handlers;
mod pages;
mod signals;
mod sigsegv;
mod threads;
#[cfg(target_os = "linux")]
mod window_threads;
#[cfg(target_os = "linux")]
mod windows;
mod words;

use iommap_child as child;
