//! The guard's tests: one program, which is also each test's child process.

mod child;
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
