//! Which signals are blocked while the handler runs, and while a predecessor does.
//!
//! Other signals come in between any two instructions, of a handler too. On an alternate stack
//! that has no room for that: the standard library's is 8 KiB where AVX-512's registers make a
//! signal's frame 3.6, so a profiler's signal on top of ours, with what the profiler's handler
//! needs, wrote over the stack's end within a second of losing pages. So the handler has the kernel
//! block what can be blocked. What was sent comes when it returns, a microsecond later.
//!
//! A predecessor expects what it asked the kernel for, so it gets that: see [`Predecessors`].

use std::mem;
use std::ops::RangeInclusive;
use std::ptr;

use super::system;

/// What an instruction raises, which can't wait: blocked, it kills. SIGBUS is blocked by the kernel
/// while its handler runs, and the handler touches nothing that can be lost. A sandbox may answer
/// system calls by SIGSYS.
const RAISED: [libc::c_int; 5] =
    [libc::SIGILL, libc::SIGTRAP, libc::SIGFPE, libc::SIGSEGV, libc::SIGSYS];

/// What can't be blocked.
const NEVER: [libc::c_int; 2] = [libc::SIGKILL, libc::SIGSTOP];

/// The signals that every system has, and with Linux's real-time ones.
const COMMON: RangeInclusive<libc::c_int> = 1..=31;
const ALL: RangeInclusive<libc::c_int> = 1..=64;

/// The mask that the handler is installed with.
pub(crate) fn while_handling() -> libc::sigset_t {
    let mut mask = empty();
    // SAFETY: the mask is ours.
    unsafe { libc::sigfillset(&mut mask) };
    for signal in RAISED {
        // SAFETY: as above.
        unsafe { libc::sigdelset(&mut mask, signal) };
    }
    mask
}

/// All blocked that [`while_handling`] blocks, besides what was, as long as this is there.
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
#[derive(Debug)]
pub(crate) struct Blocked {
    /// What to go back to.
    before: libc::sigset_t,
}

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
impl Blocked {
    pub(crate) fn hold() -> Self {
        Self { before: change(libc::SIG_BLOCK, Some(&while_handling())) }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
impl Drop for Blocked {
    fn drop(&mut self) {
        set(Some(&self.before));
    }
}

/// The mask of a predecessor's, held as long as this is there.
#[derive(Debug)]
pub(crate) struct Predecessors {
    /// What to go back to.
    before: Option<libc::sigset_t>,
}

impl Predecessors {
    /// Blocks what the kernel would, had it called `action`'s handler: what was blocked when the
    /// signal came, what the action asks for, and the signal itself unless it has SA_NODEFER.
    ///
    /// Only if all is blocked that [`while_handling`] blocks (of the common ones: an emulator may
    /// not have the others). Otherwise the caller is not the
    /// kernel but a handler that came later, and the mask is that one's affair.
    ///
    /// # Safety
    ///
    /// Called in a handler, with the arguments that the kernel gave it.
    pub(crate) unsafe fn hold(
        action: &libc::sigaction,
        signal: libc::c_int,
        ucontext: *mut libc::c_void,
    ) -> Self {
        let now = set(None);
        let ours = while_handling();
        if COMMON.into_iter().any(|n| has(&ours, n) && !NEVER.contains(&n) && !has(&now, n)) {
            return Self { before: None };
        }
        // SAFETY: the caller's promise.
        let mut mask = unsafe { system::blocked_before(ucontext) };
        let defers = action.sa_flags & libc::SA_NODEFER == 0;
        for n in ALL.filter(|n| has(&action.sa_mask, *n) || *n == signal && defers) {
            // SAFETY: the mask is ours.
            unsafe { libc::sigaddset(&mut mask, n) };
        }
        set(Some(&mask));
        Self { before: Some(now) }
    }
}

impl Drop for Predecessors {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set(Some(before));
        }
    }
}

/// Sets this thread's mask, or leaves it; returns the one it had.
fn set(mask: Option<&libc::sigset_t>) -> libc::sigset_t {
    change(libc::SIG_SETMASK, mask)
}

/// Changes this thread's mask as `how` says, or leaves it; returns the one it had.
fn change(how: libc::c_int, mask: Option<&libc::sigset_t>) -> libc::sigset_t {
    let mut old = empty();
    // SAFETY: null or a mask, and a mask of ours to write to. With these arguments it can't fail.
    unsafe {
        libc::pthread_sigmask(how, mask.map_or(ptr::null(), ptr::from_ref), &mut old);
    }
    old
}

fn has(mask: &libc::sigset_t, signal: libc::c_int) -> bool {
    // SAFETY: a mask. A signal that the system doesn't have is in none.
    unsafe { libc::sigismember(mask, signal) == 1 }
}

fn empty() -> libc::sigset_t {
    // SAFETY: integers or arrays of them; on every system zeros are the empty mask.
    unsafe { mem::zeroed() }
}
