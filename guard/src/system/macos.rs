//! macOS: SIGBUS, and no word on where it came from.
//!
//! A page that its file no longer backs ends in the kernel with KERN_MEMORY_ERROR. As every
//! EXC_BAD_ACCESS but KERN_INVALID_ADDRESS, which is a hole in the address space, that becomes
//! SIGBUS (`ux_exception` in XNU). wasmtime listens for the same exceptions at a Mach port, where
//! it comes first, and hands on what isn't wasm's.

use super::Cause;

/// The signals that may tell of a lost page.
pub(crate) const SIGNALS: [libc::c_int; 1] = [libc::SIGBUS];

/// What a signal's `si_code` says of where it came from: nothing.
///
/// The kernel puts one constant there for each SIGBUS, a sent one too (BUS_ADRERR on x86-64,
/// BUS_ADRALN on aarch64; `sendsig` in XNU). So a SIGBUS that is sent to a thread in the middle of
/// a copy is taken for a lost page: that copy fails, and nothing else happens.
pub(crate) fn cause(_: libc::c_int) -> Cause {
    Cause::Untold
}

/// Where this thread's `errno` is.
pub(crate) fn errno() -> *mut libc::c_int {
    // SAFETY: no preconditions.
    unsafe { libc::__error() }
}

/// The program counter in a signal's context: the address of the instruction that faulted, and
/// the one that the thread goes on with after the handler.
///
/// # Safety
///
/// `ucontext` is the third argument of a handler installed with SA_SIGINFO, which is running.
#[inline]
pub(crate) unsafe fn program_counter(ucontext: *mut libc::c_void) -> *mut usize {
    let ucontext = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise: a context is there, with the machine's part of it behind a
    // pointer. No reference to either is made.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        (&raw mut (*(*ucontext).uc_mcontext).__ss.__rip).cast()
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        (&raw mut (*(*ucontext).uc_mcontext).__ss.__pc).cast()
    }
}
