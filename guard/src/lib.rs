//! The fault-guarded copy: a `memcpy` that comes back and says so when a page is gone.
//!
//! A page of a mapped file can go at any time. Somebody cuts the file short, a network file
//! system loses its server, a disk can't be read: the next touch of the page is a SIGBUS, and a
//! SIGBUS kills the process. [`copy`] touches such a page and returns a [`Fault`] instead, which
//! says exactly how far it got. [`atomic`] does the same for single words. For memory that others
//! touch by plain instructions, `watch` (on Linux) puts zeros where a page is lost, and tells.
//!
//! # How
//!
//! The copy is one routine in assembly, without a stack frame, and its range of addresses is
//! known. [`install`] puts a handler in front of SIGBUS that looks at one thing: did the fault
//! happen inside that range? Then it moves the program counter to a landing pad, which returns
//! "so many bytes are left" to the routine's caller. If not, the signal belongs to somebody
//! else, and whoever handled SIGBUS before gets it. (The words have a range and a landing pad of
//! their own.) Nothing is armed before a copy or disarmed
//! after it, so a copy costs what a `memcpy` costs; a fault costs a few microseconds.
//!
//! Where no such routine is written (on Linux, any processor but x86-64 and aarch64), the kernel
//! does the copying: slower, and there is no handler, because a system call returns an error
//! instead of raising a signal.
//!
//! On FreeBSD and OpenBSD a lost page may also come as SIGSEGV, which is handled there in the
//! same way; what is said of SIGBUS below holds for both.
//!
//! # What a program has to know
//!
//! - **Handlers installed before ours** keep working; see [`install`] for how exactly.
//! - **A handler installed after ours** gets the signal first. If it passes on what it doesn't
//!   know, nothing changes. If it doesn't, it decides what a lost page means, and the guard is
//!   out of the game: that is for whoever installs it to get right. The guard doesn't check, and
//!   doesn't fight back, since two handlers that each insist on being first end in a loop.
//! - **wasmtime** has a handler for SIGSEGV everywhere and for SIGBUS on FreeBSD and macOS (there
//!   only if `Config::macos_use_mach_ports` is off), and it keeps working whichever of the two was
//!   installed first: both pass on. But `Engine::unload_process_handlers` wants wasmtime's to be the
//!   last one installed, and where the guard handles a signal of wasmtime's it is not: that is on
//!   FreeBSD, OpenBSD, and macOS without Mach ports.
//! - **A thread that blocks SIGBUS** is not protected. The kernel doesn't hold back a fault: it
//!   kills the process when the signal is blocked.
//! - **A forked child** inherits handler, guard and windows, and all work. In the child of a process
//!   with several threads no window may be made or ended, since another thread may have had the
//!   lock for that. `exec` resets them, as it resets all handlers.
//! - **The alternate signal stack** is used where a thread has one (threads made by Rust do) and
//!   not missed where it hasn't. One must have room for the kernel's frame (`AT_MINSIGSTKSZ` in the
//!   auxiliary vector says how much that is) and a KiB for the handler. The 2 KiB of POSIX's
//!   `MINSIGSTKSZ` are less than the frame alone where the processor has AVX-512 (3.6 KiB): the
//!   kernel kills a thread with such a stack, whatever the handler does.
//! - **Other signals wait** while the handler runs, so that none comes on top of it on that stack:
//!   a profiler's SIGPROF comes a microsecond later. Those that an instruction raises don't wait,
//!   and a predecessor runs with the mask that it asked for.
//! - **Two versions of this crate** in one program each have their own routine and handler, and
//!   pass on to each other what isn't theirs.
//!
//! # Example
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! iommap_guard::install()?;
//!
//! let from = *b"sixteen bytes...";
//! let mut to = [0; 16];
//! // SAFETY: both are 16 bytes of this frame, and apart.
//! let copied = unsafe { iommap_guard::copy(to.as_mut_ptr(), from.as_ptr(), 16) };
//!
//! assert_eq!(copied, Ok(()));
//! assert_eq!(to, from);
//! # Ok(())
//! # }
//! ```

#[cfg(not(any(
    target_os = "freebsd",
    target_os = "linux",
    target_os = "macos",
    target_os = "openbsd"
)))]
compile_error!(
    "iommap-guard is written for Linux, macOS, FreeBSD and OpenBSD: elsewhere a file that is cut \
     short would kill the process, so it doesn't build for this system"
);

#[cfg(all(not(target_os = "linux"), not(any(target_arch = "aarch64", target_arch = "x86_64"))))]
compile_error!(
    "on this system iommap-guard is written for x86-64 and aarch64 only: the copy \
     by system call, which serves all other processors, needs Linux's process_vm_readv"
);

#[cfg(all(any(target_arch = "aarch64", target_arch = "x86_64"), not(target_pointer_width = "64")))]
compile_error!(
    "iommap-guard wants pointers of 64 bits on this processor: x32 and ILP32 are \
     not supported"
);

pub mod atomic;
mod fault;
mod prefetch;
// What every other processor uses. Built for all of Linux, so that it is tested everywhere.
#[cfg(target_os = "linux")]
mod portable;
mod variant;

// What is written for this processor, where something is, by the name of `machine`.
#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod chain;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod handler;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod mask;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod system;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
pub mod watch;

pub use fault::{Fault, faults_recovered};
#[doc(hidden)]
pub use variant::{Variant, routine_range};

/// Puts the guard's handler in front of SIGBUS, so that [`copy`] survives a lost page.
///
/// Needed once in a process; further calls cost one look at an atomic. iommap calls it before it
/// makes its first mapping. The handler stays for good: removing a signal handler that others
/// may have chained to can't be done safely.
///
/// # Who handled SIGBUS before
///
/// A SIGBUS that is not a fault of [`copy`] goes to the predecessor, in the way the kernel would
/// have delivered it:
///
/// - A handler of either kind is called, with all three arguments if it asked for them. Its
///   signal mask, SA_NODEFER, SA_RESTART and SA_RESETHAND mean what they mean. If a handler that was
///   installed later passes the signal on, the mask is that one's instead. SA_ONSTACK is not
///   looked at: the predecessor runs on the alternate stack where there is one, wanted or not.
/// - The default action kills the process with SIGBUS. After a fault that is done by restoring
///   the default and returning, so that a core dump shows the faulting instruction. (Should the
///   page come back at that very moment, the program goes on with the default in place.)
/// - An ignored signal stays ignored if it was sent. A fault can't be ignored, and the kernel
///   would kill the process, so that is what happens. (macOS doesn't say which of the two it was:
///   there an ignored SIGBUS kills.)
///
/// In a Rust program the predecessor is usually the standard library's, which looks for stack
/// overflows. To any other SIGBUS it restores the default action and returns, expecting the
/// fault to come again. A SIGBUS that was sent doesn't come again: the standard library swallows
/// the first and dies of the second. Here that would leave a process without a guard, so when a
/// predecessor answers a sent signal by restoring the default, the default is what happens.
///
/// # Errors
///
/// What `sigaction` says. On processors without a handler: that the kernel refuses to copy
/// within the process, which a seccomp filter may forbid.
#[inline]
pub fn install() -> std::io::Result<()> {
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    return handler::install();
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    return portable::probe();
}

/// Copies `len` bytes from `src` to `dst`, either of which may lose its pages meanwhile.
///
/// [`install`] must have succeeded before. If it hasn't, the copy is just as right, and a lost
/// page kills the process as it would have without a guard.
///
/// Other threads and other processes may read and write both sides during the copy. Then it is
/// not said which bytes were seen, and one byte may be read twice: this copies what it finds,
/// and nobody may conclude more from it.
///
/// # Errors
///
/// [`Fault`] when a page of either side raised SIGBUS.
///
/// # Safety
///
/// - `src..src + len` and `dst..dst + len` lie in mappings that stay for the whole call, `src`
///   readable and `dst` writable by protection. Pages in them may be lost; a hole in the address
///   space or a forbidden access is a SIGSEGV, which this doesn't guard against.
/// - The two don't overlap.
/// - Writing to `dst` is allowed by whoever owns it, as for [`std::ptr::copy_nonoverlapping`].
///   If Rust code has a reference to either side, the usual rules for references hold.
/// - The CPU's direction flag is clear, as it is in any Rust code.
#[inline]
pub unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> Result<(), Fault> {
    #[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
    {
        // SAFETY: the caller keeps `copy`'s conditions, which are the routine's, and `chosen` is
        // right for this processor.
        unsafe {
            let how = machine::chosen();
            fault::outcome(dst, src, len, how, machine::copy::routine(dst, src, len, how))
        }
    }
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    {
        // SAFETY: the caller keeps `copy`'s conditions, which are the same.
        unsafe { portable::copy(dst, src, len) }
    }
}

pub use prefetch::prefetch;

/// The README's example, which is to stay right.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
