//! Handlers for SIGBUS that tests install before or after the guard's, and lost pages to make
//! them run.
#![cfg(target_os = "linux")]

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use iommap_guard as guard;

use crate::pages::{Pages, page};

/// What the handlers below saw.
pub(crate) static CALLS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static SIGNAL: AtomicI32 = AtomicI32::new(0);
pub(crate) static CODE: AtomicI32 = AtomicI32::new(0);
pub(crate) static ADDRESS: AtomicUsize = AtomicUsize::new(0);
pub(crate) static CONTEXT: AtomicBool = AtomicBool::new(false);
pub(crate) static STACK: AtomicUsize = AtomicUsize::new(0);
pub(crate) static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// The lost page that a handler is to put back, so that the faulting instruction can go on.
pub(crate) static LOST: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

pub(crate) type WithInfo = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
pub(crate) type Plain = extern "C" fn(libc::c_int);

/// A handler of the kind with three arguments.
pub(crate) extern "C" fn with_info(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel's arguments, passed on.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr()) };
    CODE.store(code, Ordering::SeqCst);
    ADDRESS.store(address.addr(), Ordering::SeqCst);
    CONTEXT.store(!context.is_null(), Ordering::SeqCst);
    plain(signal);
}

/// A handler of the plain kind.
pub(crate) extern "C" fn plain(signal: libc::c_int) {
    SIGNAL.store(signal, Ordering::SeqCst);
    STACK.store((&raw const signal).addr(), Ordering::SeqCst);
    BLOCKED.store(blocked(), Ordering::SeqCst);
    let lost = LOST.load(Ordering::SeqCst);
    if !lost.is_null() {
        // SAFETY: replaces a page of the test's own mapping by one that is there.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            libc::mmap(lost.cast(), page(), protection, flags, -1, 0);
            // What a careless handler leaves behind.
            *libc::__errno_location() = 77;
        }
    }
    CALLS.fetch_add(1, Ordering::SeqCst);
}

/// The signals that this thread blocks, a bit each.
pub(crate) fn blocked() -> u64 {
    // SAFETY: a mask of zeros is a value; a null pointer says that nothing is to be changed.
    unsafe {
        let mut mask: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask);
        (1..=31).filter(|n| libc::sigismember(&mask, *n) == 1).map(|n| 1 << n).sum()
    }
}

/// Makes `handler` the handler of SIGBUS; returns what was there.
pub(crate) fn handle(
    handler: libc::sighandler_t,
    flags: libc::c_int,
    mask: &[i32],
) -> libc::sigaction {
    handle_signal(libc::SIGBUS, handler, flags, mask)
}

/// The same for any signal.
pub(crate) fn handle_signal(
    signal: libc::c_int,
    handler: libc::sighandler_t,
    flags: libc::c_int,
    mask: &[i32],
) -> libc::sigaction {
    // SAFETY: zeros are a value for the action; the callers pass a handler that fits the flags.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        for signal in mask {
            libc::sigaddset(&mut action.sa_mask, *signal);
        }
        let mut old = mem::zeroed();
        assert_eq!(libc::sigaction(signal, &action, &mut old), 0);
        old
    }
}

pub(crate) fn with_info_address() -> libc::sighandler_t {
    (with_info as WithInfo as *const ()).expose_provenance()
}

pub(crate) fn plain_address() -> libc::sighandler_t {
    (plain as Plain as *const ()).expose_provenance()
}

/// Waits for a signal that was sent to the process, which another thread may get.
pub(crate) fn wait_for_calls(calls: usize) {
    let until = Instant::now() + Duration::from_secs(20);
    while CALLS.load(Ordering::SeqCst) < calls {
        assert!(Instant::now() < until, "the handler wasn't called");
        std::thread::yield_now();
    }
}

/// A page that is lost.
pub(crate) fn lost() -> Pages {
    let pages = Pages::new(page());
    pages.set_len(0);
    pages
}

/// A read that isn't the guard's business.
pub(crate) fn touch(at: *const u8) -> u8 {
    // SAFETY: mapped; if it is lost, the signal is what the test wants.
    unsafe { ptr::read_volatile(at) }
}

/// Sends SIGBUS to the process, as another process could, and leaves it time to die.
pub(crate) fn kill_self() {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(libc::getpid(), libc::SIGBUS) };
    std::thread::sleep(Duration::from_millis(500));
}

/// The guard does its work.
#[track_caller]
pub(crate) fn assert_guarded() {
    let before = guard::faults_recovered();
    let pages = lost();
    let mut to = [0; 8];
    // SAFETY: a buffer of 8 bytes, and a mapped page.
    let result = unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), 8) };
    assert_eq!(result.map_err(|fault| fault.copied()), Err(0));
    assert_eq!(guard::faults_recovered(), before + 1);
}
