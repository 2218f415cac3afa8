//! Where the kernel keeps the interrupted program counter.
//!
//! It is the only register that the handler looks at or changes. All others stay as the fault
//! left them, and the landing pad, being part of the copy, knows what they mean.

/// The program counter in a signal's context: the address of the instruction that faulted, and
/// the one that the thread goes on with after the handler.
///
/// # Safety
///
/// `ucontext` is the third argument of a handler installed with SA_SIGINFO, which is running.
#[inline]
pub(super) unsafe fn program_counter(ucontext: *mut libc::c_void) -> *mut usize {
    let ucontext = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller's promise: a context is there. No reference to it is made.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        (&raw mut (*ucontext).uc_mcontext.gregs[libc::REG_RIP as usize]).cast()
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        (&raw mut (*ucontext).uc_mcontext.pc).cast()
    }
}
