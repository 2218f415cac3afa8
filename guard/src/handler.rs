//! The handler, for each of the signals that may tell of a lost page: is it a fault of the copy?
//! Then to the landing pad. In a window? Then zeros go there. If not, to [`chain`].
//!
//! A handler runs between any two instructions of the program, so it may use next to nothing of
//! it. This one reads its arguments, compares an address with constants and writes two registers.
//! No allocation, no lock but for those who put zeros into windows, no thread-local: a thread-local of a shared
//! library may be allocated at its first use, and the fault may have come from inside `malloc`.

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::atomic::Routine;
use super::system::{self, Cause, SIGNALS};
use super::{chain, machine, mask};

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

/// The action we install.
///
/// SA_RESTART is the kernel's business after a handler ran, so the predecessor's can only be kept
/// by installing ours with it. Its mask and SA_NODEFER are kept by [`mask`] when it is called:
/// while ours runs everything is blocked that can be, the signal itself included. That holds until
/// ours has returned, so that a burst of signals that somebody sends doesn't pile up on the stack,
/// each interrupting the one before, unless the predecessor wants just that.
///
/// SA_ONSTACK, because the fault may have come where the stack is nearly full.
fn ours(predecessor: &libc::sigaction) -> libc::sigaction {
    // SAFETY: all fields are integers, arrays of them, or an optional function pointer, for
    // which zeros are a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = address();
    action.sa_mask = mask::while_handling();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    match predecessor.sa_sigaction {
        libc::SIG_DFL => {}
        // What is ignored interrupts no system call.
        libc::SIG_IGN => action.sa_flags |= libc::SA_RESTART,
        _ => action.sa_flags |= predecessor.sa_flags & libc::SA_RESTART,
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

    // SAFETY: with SA_SIGINFO the kernel passes valid information and a valid context, and after
    // `return` it continues with what is in there.
    if cause != Cause::Sent && unsafe { recover(ucontext, (*info).si_addr().addr()) } {
        return;
    }

    // Not ours by what was running. By what it touched?
    #[cfg(target_os = "linux")]
    if cause == Cause::Fault && signal == libc::SIGBUS {
        // SAFETY: as above.
        let address = unsafe { (*info).si_addr() }.addr();
        if super::watch::cover(address, code) {
            return;
        }
    }

    // SAFETY: the arguments are the kernel's.
    unsafe { chain::pass_on(signal, info, ucontext, cause) }
}

/// Sends a fault of a routine of ours to its landing pad; says if it was one.
///
/// # Safety
///
/// `ucontext` is the context of a signal being handled by this thread.
unsafe fn recover(ucontext: *mut libc::c_void, address: usize) -> bool {
    // SAFETY: the caller's promise.
    let (counter, second) = unsafe { system::registers(ucontext) };
    // SAFETY: it points into the context, which is valid and ours alone.
    let at = unsafe { ptr::read(counter) };
    let Some(landing) = landing_for(at) else { return false };
    // SAFETY: as for the read. Landing is sound from each instruction of a routine: it has no
    // frame to unwind, and keeps the registers in which the landing pad reads how far it got. The
    // second register of what it returns is among those that a routine is free to use.
    unsafe {
        ptr::write(counter, landing);
        ptr::write(second, address);
    }
    true
}

/// Where a fault of the instruction at `at` goes, if that is in a routine of ours.
fn landing_for(at: usize) -> Option<usize> {
    // Below the start this wraps around to something large.
    let within = |start: *const (), size| at.wrapping_sub(start.addr()) < size;
    if within(machine::copy::routine as *const (), machine::copy::SIZE) {
        return Some((machine::copy::landing as *const ()).addr());
    }
    let word = |routine: &Routine| within(*routine as *const (), machine::words::SIZE);
    let lands = machine::words::ALL.iter().any(word);
    lands.then(|| (machine::words::landing as *const ()).addr())
}
