//! The handler, for each of the signals that may tell of a lost page: is it a fault of the copy?
//! Then to the landing pad. If not, to [`chain`].
//!
//! A handler runs between any two instructions of the program, so it may use next to nothing of
//! it. This one reads its arguments, compares an address with two constants, writes one register
//! and adds to one atomic. No locks, no allocation, no thread-local: a thread-local of a shared
//! library may be allocated at its first use, and the fault may have come from inside `malloc`.

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::system::{self, Cause, SIGNALS};
use super::{RECOVERED, chain, machine};

/// Ours is in place.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// See [`super::install`].
#[inline]
pub(crate) fn install() -> io::Result<()> {
    if INSTALLED.load(Ordering::Acquire) { Ok(()) } else { install_once() }
}

#[cold]
fn install_once() -> io::Result<()> {
    // Two threads may make their first mappings at once, and the loser must not return before
    // the handler is in place. This lock is never taken by the handler.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if INSTALLED.load(Ordering::Acquire) {
        return Ok(());
    }

    machine::detect();

    for signal in SIGNALS {
        // Ours may run as soon as `sigaction` made it the handler, before `sigaction` returned
        // whom it replaced. So the predecessor is read and published first.
        let found = chain::current(signal)?;
        remember(signal, found);
        let replaced = chain::replace(signal, &ours(&found))?;
        // Somebody may have come in between. Then this is the true predecessor.
        remember(signal, replaced);
    }

    INSTALLED.store(true, Ordering::Release);
    Ok(())
}

/// Publishes whom the chain goes on with; never ourselves, which would be a chain without end.
///
/// Nothing in this crate installs twice, but a program may have saved our action and put it back
/// after an attempt of ours that failed halfway.
fn remember(signal: libc::c_int, action: libc::sigaction) {
    if action.sa_sigaction != address() {
        chain::publish(signal, action);
    }
}

/// The action we install: as much like the predecessor's as it can be.
///
/// Its mask, SA_NODEFER and SA_RESTART are the kernel's business before and after a handler runs,
/// so they can only be kept by installing ours with them. In particular ours must not be open to
/// the signal while the predecessor expects it blocked: then a burst of signals that somebody
/// sends piles up on the stack, each interrupting the one before, until the stack is full. (A
/// handler can't make up for that with a mask of its own, because the next signal comes in as
/// soon as it gives the mask back.) SA_NODEFER is kept where the predecessor has it, so that it
/// may itself run into a lost page.
///
/// SA_ONSTACK, because the fault may have come where the stack is nearly full.
fn ours(predecessor: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all fields are integers, arrays of them, or an optional function pointer, for
    // which zeros are a value. A mask of zeros is the empty mask on every system.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = address();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    match predecessor.sa_sigaction {
        libc::SIG_DFL => {}
        // What is ignored interrupts no system call.
        libc::SIG_IGN => action.sa_flags |= libc::SA_RESTART,
        _ => {
            action.sa_flags |= predecessor.sa_flags & (libc::SA_RESTART | libc::SA_NODEFER);
            action.sa_mask = predecessor.sa_mask;
        }
    }
    action
}

/// The handler as `sigaction` wants it.
fn address() -> usize {
    (on_signal as *const ()).expose_provenance()
}

/// The handler.
///
/// # Safety
///
/// For the kernel only, or for a handler that passes on exactly what the kernel gave it.
unsafe extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid `info`.
    let code = unsafe { (*info).si_code };
    // Nothing faulted when the signal was sent. Then the program counter is in the copy by chance
    // only.
    let cause = system::cause(code);

    // SAFETY: with SA_SIGINFO the kernel passes a valid context, and after `return` it continues
    // with what is in there.
    if cause != Cause::Sent && unsafe { recover(ucontext) } {
        RECOVERED.fetch_add(1, Ordering::Relaxed);
        return;
    }

    // SAFETY: the arguments are the kernel's.
    unsafe { chain::pass_on(signal, info, ucontext, cause) }
}

/// Sends a fault of the copy to its landing pad; says if it was one.
///
/// # Safety
///
/// `ucontext` is the context of a signal being handled by this thread.
unsafe fn recover(ucontext: *mut libc::c_void) -> bool {
    // SAFETY: the caller's promise.
    let counter = unsafe { system::program_counter(ucontext) };
    // SAFETY: `program_counter` points into the context, which is valid and ours alone.
    let at = unsafe { ptr::read(counter) };
    let start = (machine::routine as *const ()).addr();
    // Below the start this wraps around to something large.
    if at.wrapping_sub(start) >= machine::SIZE {
        return false;
    }
    // SAFETY: as for the read. Landing is sound from each instruction of the routine: it has no
    // frame to unwind, and keeps the registers in which the landing pad reads how far it got.
    unsafe { ptr::write(counter, (machine::landing as *const ()).addr()) };
    true
}
