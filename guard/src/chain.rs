//! Whoever handled our signals before us, and how a signal that isn't ours gets there.
//!
//! Everything from [`pass_on`] on runs in a signal handler. It calls `sigaction`, `pthread_sigmask`
//! and `raise`, which POSIX allows there, and keeps `errno` as it found it.

use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::mask::Predecessors;
use super::system::{self, Cause, SIGNALS};

/// The predecessor's action for each signal; null is the default action.
///
/// What they point to is never changed and never freed, because a handler may be reading it. That
/// is 152 bytes, twice at most, for each signal.
static PREDECESSORS: [AtomicPtr<libc::sigaction>; SIGNALS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS.len()];

/// Where the predecessor for `signal` is kept; nowhere, if it is none of ours.
fn predecessor_of(signal: libc::c_int) -> Option<&'static AtomicPtr<libc::sigaction>> {
    let found = SIGNALS.iter().position(|ours| *ours == signal);
    found.map(|index| &PREDECESSORS[index])
}

/// Makes `action` the one that [`pass_on`] goes on with.
pub(crate) fn publish(signal: libc::c_int, action: libc::sigaction) {
    if let Some(place) = predecessor_of(signal) {
        place.store(Box::into_raw(Box::new(action)), Ordering::Release);
    }
}

/// The action of `signal` now.
pub(crate) fn current(signal: libc::c_int) -> io::Result<libc::sigaction> {
    sigaction(signal, None)
}

/// Sets the action of `signal`; returns the one it replaced.
pub(crate) fn replace(
    signal: libc::c_int,
    action: &libc::sigaction,
) -> io::Result<libc::sigaction> {
    sigaction(signal, Some(action))
}

/// `sigaction` with references. Allocates nothing, also when it fails.
fn sigaction(signal: libc::c_int, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `action` is null or a reference, `old` has room for what is written.
    if unsafe { libc::sigaction(signal, action, old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed, which is a value already, and then written by `sigaction`.
    Ok(unsafe { old.assume_init() })
}

/// Gives a signal that isn't ours to the predecessor.
///
/// # Safety
///
/// Called in a handler, with the arguments that the kernel gave it.
pub(crate) unsafe fn pass_on(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
    cause: Cause,
) {
    // The interrupted code may be between a failed system call and its look at `errno`.
    // SAFETY: the pointer is to this thread's `errno`, valid while the thread is.
    let errno = unsafe { *system::errno() };

    match predecessor(signal) {
        None => default_action(signal, cause),
        Some(action) if action.sa_sigaction == libc::SIG_IGN => {
            // A fault can't be ignored: the instruction would fault forever. The kernel kills.
            if cause != Cause::Sent {
                default_action(signal, cause);
            }
        }
        Some(action) => {
            let before = handler_of(signal);
            // SAFETY: the arguments are the kernel's, `action` holds a handler.
            unsafe { call(action, signal, info, ucontext) };
            // "Restore the default and return" asks for the fault to come again and kill. A
            // sent signal doesn't come again; without this the process would live on, with
            // nobody in front of the signal. See `install`.
            if cause != Cause::Fault
                && before != libc::SIG_DFL
                && handler_of(signal) == libc::SIG_DFL
            {
                raise(signal);
            }
        }
    }

    // SAFETY: as for the read.
    unsafe { *system::errno() = errno };
}

/// Who is next, or nobody, which means the default action.
///
/// A handler with SA_RESETHAND is handed out once; from then on it is the default action's turn,
/// as the kernel does it.
fn predecessor(signal: libc::c_int) -> Option<&'static libc::sigaction> {
    let place = predecessor_of(signal)?;
    let found = place.load(Ordering::Acquire);
    // SAFETY: null, or published by `publish` and valid from then on for good.
    let action = unsafe { found.as_ref() }?;
    match action.sa_sigaction {
        libc::SIG_DFL => return None,
        libc::SIG_IGN => return Some(action),
        _ => {}
    }
    let once = action.sa_flags & libc::SA_RESETHAND != 0;
    let taken = once
        && place
            .compare_exchange(found, ptr::null_mut(), Ordering::AcqRel, Ordering::Acquire)
            .is_err();
    // Another thread took it. Nothing but null can have come in its place.
    if taken { None } else { Some(action) }
}

/// Calls a predecessor's handler, with its signal mask.
///
/// # Safety
///
/// `action` holds a handler, neither default nor ignore; the rest are the kernel's arguments.
unsafe fn call(
    action: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    // SAFETY: the arguments are the kernel's.
    let _mask = unsafe { Predecessors::hold(action, signal, ucontext) };
    let handler = ptr::with_exposed_provenance::<()>(action.sa_sigaction);
    if action.sa_flags & libc::SA_SIGINFO != 0 {
        type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: whoever installed it with SA_SIGINFO promised a function of this type.
        let handler = unsafe { mem::transmute::<*const (), WithInfo>(handler) };
        handler(signal, info, ucontext);
    } else {
        type Plain = extern "C" fn(libc::c_int);
        // SAFETY: whoever installed it without SA_SIGINFO promised a function of this type.
        let handler = unsafe { mem::transmute::<*const (), Plain>(handler) };
        handler(signal);
    }
}

/// Lets the default action happen: the process dies of `signal`.
///
/// After a fault it is enough to return: the instruction faults again, and the core dump shows
/// it. A sent signal has to be sent again. It stays pending while a handler runs that has it
/// blocked, and kills when that handler returns. That is also right where the system doesn't say
/// which of the two it was.
fn default_action(signal: libc::c_int, cause: Cause) {
    // SAFETY: all fields are integers, arrays of them, or an optional function pointer, for
    // which zeros are a value.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    // It can't fail: the signal exists and may be changed. If it did, there would be nothing
    // better to do than to return.
    let _ = sigaction(signal, Some(&action));
    if cause != Cause::Fault {
        raise(signal);
    }
}

/// Sends `signal` to this thread.
fn raise(signal: libc::c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::raise(signal) };
}

/// The handler of `signal` now; the default if that can't be told.
fn handler_of(signal: libc::c_int) -> libc::sighandler_t {
    current(signal).map_or(libc::SIG_DFL, |action| action.sa_sigaction)
}
