//! Pages of a file in memory: a window, or a map of the system's.

#[cfg(not(target_arch = "wasm32"))]
mod unix;
#[cfg(target_arch = "wasm32")]
mod windows;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use unix::{Pages, lock, unlock};
#[cfg(target_arch = "wasm32")]
pub(crate) use windows::{Pages, lock, unlock};

/// What a map is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is stored stays in the map.
    Own,
    /// What is stored reaches the file.
    Shared,
    /// Nobody can change the file any more, and nothing is stored.
    Frozen,
}

/// Which bytes of a file.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    /// More than none.
    pub(crate) len: usize,
    /// Are they to be read in at once?
    pub(crate) populate: bool,
}
