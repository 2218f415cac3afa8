//! For the tests: each way to copy that this machine has, and not only the one it would choose.
//!
//! Hidden from the documentation, and no part of what the crate promises.

use std::ops::Range;

use super::Fault;
#[cfg(target_os = "linux")]
use super::portable;

/// One way to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant(Way);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The routine for this processor, with these of its abilities.
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
        let machine = {
            // Each set of abilities within those that the processor has.
            let available = super::machine::available();
            (0..=available).filter(move |set| set & !available == 0).map(Way::Machine)
        };
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
                // SAFETY: the caller's promise. `all` made `how`, of what is available.
                let left = unsafe { super::machine::routine(dst, src, len, how) };
                super::outcome(len, left)
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
        let start = (super::machine::routine as *const ()).addr();
        start..start + super::machine::SIZE
    }
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    {
        0..0
    }
}
