//! Counts every SIGBUS that the kernel raises, apart from what the guard says.
//!
//! A handler in front of the guard's: it counts and passes everything on, as a later handler
//! should.

use std::io;
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static RAISED: AtomicU64 = AtomicU64::new(0);
static GUARD: OnceLock<Handler> = OnceLock::new();

type Handler = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Starts to count.
pub(crate) fn count() -> io::Result<()> {
    iommap::guard::install()?;
    // SAFETY: all of a sigaction's fields may be zero.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: null asks for the current action, which `action` takes.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the guard's handler, which was installed above, takes all three arguments.
    let guard = unsafe { mem::transmute::<libc::sighandler_t, Handler>(action.sa_sigaction) };
    GUARD.get_or_init(|| guard);
    action.sa_sigaction = on_sigbus as Handler as libc::sighandler_t;
    // SAFETY: the handler does what one may do, with the flags and mask of the guard's own.
    if unsafe { libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// How many there were.
pub(crate) fn so_far() -> u64 {
    RAISED.load(Ordering::Relaxed)
}

unsafe extern "C" fn on_sigbus(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    RAISED.fetch_add(1, Ordering::Relaxed);
    if let Some(guard) = GUARD.get() {
        // SAFETY: the arguments are the kernel's.
        unsafe { guard(signal, info, context) }
    }
}
