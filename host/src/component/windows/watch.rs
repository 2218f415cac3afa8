//! The guard's watch on windows, or none where there is none.

/// Are there windows on this system?
pub(super) const HERE: bool =
    cfg!(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")));

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
pub(super) use crate::guard::watch::{Refused, Watch};

#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
pub(super) use nowhere::{Refused, Watch};

/// The same names for a system where a lost page's address is not told, or comes by the way that
/// wasm's own traps take: nothing is watched there, so there is no value of these types.
#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
mod nowhere {
    use std::ops::Range;

    #[derive(Debug)]
    #[allow(dead_code, reason = "named as the guard names them")]
    pub(in super::super) enum Refused {
        Overlaps,
        TooMany,
        System,
    }

    #[derive(Debug)]
    pub(in super::super) enum Watch {}

    impl Watch {
        /// # Safety
        ///
        /// None; where there are windows they have to be the caller's.
        pub(in super::super) unsafe fn new(_: Range<usize>, _: usize) -> Result<Watch, Refused> {
            Err(Refused::System)
        }

        pub(in super::super) fn lost(&self) -> u32 {
            match *self {}
        }

        pub(in super::super) fn counted(&self) -> Option<u32> {
            match *self {}
        }

        /// # Safety
        ///
        /// None, likewise.
        pub(in super::super) unsafe fn renew(&mut self) {
            match *self {}
        }

        pub(in super::super) fn forget(&mut self) {
            match *self {}
        }
    }
}
