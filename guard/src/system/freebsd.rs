//! FreeBSD: SIGBUS or SIGSEGV.
//!
//! Which of the two tells of a page that its file no longer backs has changed between releases,
//! depends on `machdep.prot_fault_translation`, and differs between a page past the file's end
//! and one that can't be read. So both are watched. wasmtime handles both as well: what isn't the
//! copy's goes there, if it was installed before, and comes from there, if it was after.

use super::Cause;

/// The signals that may tell of a lost page.
pub(crate) const SIGNALS: [libc::c_int; 2] = [libc::SIGBUS, libc::SIGSEGV];

/// SI_USER, the first of those that the kernel keeps for signals without a fault.
const FIRST_SENT: libc::c_int = 0x10001;

/// What a signal's `si_code` says of where it came from.
///
/// Faults have small numbers above zero. Zero is "no information", for a sender whose signal
/// found the queue full.
pub(crate) fn cause(code: libc::c_int) -> Cause {
    if (1..FIRST_SENT).contains(&code) { Cause::Fault } else { Cause::Sent }
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
    // SAFETY: the caller's promise: a context is there. No reference to it is made.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        let registers = &raw mut (*ucontext).uc_mcontext;
        ((&raw mut (*registers).mc_rip).cast(), (&raw mut (*registers).mc_rdx).cast())
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        let registers = &raw mut (*ucontext).uc_mcontext.mc_gpregs;
        ((&raw mut (*registers).gp_elr).cast(), (&raw mut (*registers).gp_x[1]).cast())
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
