//! For the tests: each way to copy that this machine has, and not only the one it would choose.
//!
//! Hidden from the documentation, and no part of what the crate promises.

use std::fmt;
use std::ops::Range;

use super::Fault;
#[cfg(target_os = "linux")]
use super::portable;

/// One way to copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Variant(Way);

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
            Way::Machine(how) => write!(f, "Machine({:#x})", how as u16),
            #[cfg(target_os = "linux")]
            Way::Portable => f.write_str("Portable"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The routine for this processor, told this.
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    Machine(usize),
    /// The system call.
    #[cfg(target_os = "linux")]
    Portable,
}

impl Variant {
    /// All that work on this machine.
    pub fn all() -> Vec<Self> {
        #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
        let machine = super::machine::ways().into_iter().map(Way::Machine);
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
        let machine = std::iter::empty();
        // A sandbox may forbid the system call, and an emulator may not know it.
        #[cfg(target_os = "linux")]
        let machine = machine.chain(portable::probe().is_ok().then_some(Way::Portable));
        machine.map(Self).collect()
    }

    /// [`super::copy`] in this way.
    ///
    /// # Safety
    ///
    /// As for [`super::copy`].
    pub unsafe fn copy(self, dst: *mut u8, src: *const u8, len: usize) -> Result<(), Fault> {
        match self.0 {
            #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
            Way::Machine(how) => {
                // SAFETY: the caller's promise. `all` made `how`, of the ways that there are.
                unsafe {
                    let left = super::machine::copy::routine(dst, src, len, how);
                    super::fault::outcome(dst, src, len, how, left)
                }
            }
            // SAFETY: the caller's promise.
            #[cfg(target_os = "linux")]
            Way::Portable => unsafe { portable::copy(dst, src, len) },
        }
    }
}

/// The addresses of the routine in which a fault is ours. Empty where there is none.
pub fn routine_range() -> Range<usize> {
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    {
        let start = (super::machine::copy::routine as *const ()).addr();
        start..start + super::machine::copy::SIZE
    }
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    {
        0..0
    }
}
