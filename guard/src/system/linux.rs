//! Linux: SIGBUS, and a `si_code` that says where it came from.

use super::Cause;

/// The signals that may tell of a lost page.
#[cfg(not(iommap_watch_sigsegv))]
pub(crate) const SIGNALS: [libc::c_int; 1] = [libc::SIGBUS];

/// The same as on FreeBSD and OpenBSD, so that their way can be tested here.
#[cfg(iommap_watch_sigsegv)]
pub(crate) const SIGNALS: [libc::c_int; 2] = [libc::SIGBUS, libc::SIGSEGV];

/// What a signal's `si_code` says of where it came from.
///
/// Nothing faulted when the signal was sent (by kill, sigqueue, a timer: all not above zero), nor
/// when the kernel mentions in passing that a page of ours went bad.
pub(crate) fn cause(code: libc::c_int) -> Cause {
    let sent = code <= 0 || code == libc::BUS_MCEERR_AO;
    if sent { Cause::Sent } else { Cause::Fault }
}

/// Where this thread's `errno` is.
pub(crate) fn errno() -> *mut libc::c_int {
    // SAFETY: no preconditions.
    unsafe { libc::__errno_location() }
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
        let registers = &raw mut (*ucontext).uc_mcontext.gregs;
        (
            (&raw mut (*registers)[libc::REG_RIP as usize]).cast(),
            (&raw mut (*registers)[libc::REG_RDX as usize]).cast(),
        )
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        let registers = &raw mut (*ucontext).uc_mcontext;
        ((&raw mut (*registers).pc).cast(), (&raw mut (*registers).regs[1]).cast())
    }
}

/// The signals that were blocked when the signal came, and will be again after the handler.
///
/// # Safety
///
/// As for [`registers`].
pub(crate) unsafe fn blocked_before(ucontext: *mut libc::c_void) -> libc::sigset_t {
    let ucontext = ucontext.cast::<libc::ucontext_t>();
    // The kernel's set. What libc's has behind it is not in the frame.
    const LEN: usize = 8;
    // SAFETY: integers, for which zeros are a value.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the caller's promise; both are that long, and apart.
    unsafe {
        let from = (&raw const (*ucontext).uc_sigmask).cast::<u8>();
        std::ptr::copy_nonoverlapping(from, (&raw mut mask).cast::<u8>(), LEN);
    }
    mask
}
