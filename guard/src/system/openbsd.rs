//! OpenBSD: SIGSEGV or SIGBUS.
//!
//! A page that its file no longer backs was SIGSEGV once, when `uvm_fault` said EACCES of it, and is
//! SIGBUS since it says EIO, the one error of which `trap` makes a SIGBUS. So both are watched.

use super::Cause;

/// The signals that may tell of a lost page.
pub(crate) const SIGNALS: [libc::c_int; 2] = [libc::SIGBUS, libc::SIGSEGV];

/// SI_NOINFO: the kernel doesn't know, so no instruction faulted.
const NO_INFORMATION: libc::c_int = 32767;

/// What a signal's `si_code` says of where it came from: above zero the kernel, and at or below
/// it somebody else.
pub(crate) fn cause(code: libc::c_int) -> Cause {
    if (1..NO_INFORMATION).contains(&code) { Cause::Fault } else { Cause::Sent }
}

/// Where this thread's `errno` is.
pub(crate) fn errno() -> *mut libc::c_int {
    // SAFETY: no preconditions.
    unsafe { libc::__errno() }
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
    // Here this is another name for `sigcontext`.
    let ucontext = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise: a context is there. No reference to it is made.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        ((&raw mut (*ucontext).sc_rip).cast(), (&raw mut (*ucontext).sc_rdx).cast())
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        ((&raw mut (*ucontext).sc_elr).cast(), (&raw mut (*ucontext).sc_x[1]).cast())
    }
}

/// The signals that were blocked when the signal came, and will be again after the handler.
///
/// # Safety
///
/// As for [`registers`].
pub(crate) unsafe fn blocked_before(ucontext: *mut libc::c_void) -> libc::sigset_t {
    // SAFETY: the caller's promise. Both are 32 bits, one a signal.
    unsafe { (*ucontext.cast::<libc::ucontext_t>()).sc_mask as libc::sigset_t }
}
