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

/// Two registers in a signal's context: the program counter, which is the address of the
/// instruction that faulted and the one that the thread goes on with after the handler, and the
/// one in which a function returns the second half of its result.
///
/// # Safety
///
/// `ucontext` is the third argument of a handler installed with SA_SIGINFO, which is running.
#[inline]
pub(crate) unsafe fn registers(ucontext: *mut libc::c_void) -> (*mut usize, *mut usize) {
    let ucontext = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise: a context is there, with the machine's part of it behind a
    // pointer. No reference to either is made.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        let registers = &raw mut (*(*ucontext).uc_mcontext).__ss;
        ((&raw mut (*registers).__rip).cast(), (&raw mut (*registers).__rdx).cast())
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        let registers = &raw mut (*(*ucontext).uc_mcontext).__ss;
        ((&raw mut (*registers).__pc).cast(), (&raw mut (*registers).__x[1]).cast())
    }
}

/// The signals that were blocked when the signal came, and will be again after the handler.
///
/// # Safety
///
/// As for [`registers`].
pub(crate) unsafe fn blocked_before(ucontext: *mut libc::c_void) -> libc::sigset_t {
    // SAFETY: the caller's promise.
    unsafe { (*ucontext.cast::<libc::ucontext_t>()).uc_sigmask }
}
