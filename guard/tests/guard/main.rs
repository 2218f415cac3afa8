//! The guard's tests: one program, which is also each test's child process.
//!
//! What becomes of other handlers, and of threads, is tested on Linux alone: what a signal says of
//! itself is another matter on each system.

mod copy;
mod handlers;
mod pages;
mod signals;
mod sigsegv;
mod threads;
mod window_threads;
mod windows;
mod words;

use iommap_child as child;
