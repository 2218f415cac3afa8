//! The guard's handler in a process with threads, stacks, and children of its own.
//!
//! Only where there is a handler: other processors copy by system call.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::child::in_child;
use crate::handlers::*;
use crate::pages::{Pages, page, pattern, patterned};
use iommap_guard as guard;

#[test]
fn a_signal_sent_to_a_thread_in_the_copy_is_no_fault() {
    /// Signals that arrived while the copy was running.
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn sees_counter(
        _: libc::c_int,
        _: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the kernel's context, passed on.
        #[cfg(target_arch = "x86_64")]
        let counter = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize };
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        let counter = unsafe { (*context).uc_mcontext.pc as usize };
        let inside = guard::routine_range().contains(&counter);
        INSIDE.fetch_add(usize::from(inside), Ordering::SeqCst);
        CALLS.fetch_add(1, Ordering::SeqCst);
    }
    in_child(|| {
        let handler = (sees_counter as WithInfo as *const ()).expose_provenance();
        handle(handler, libc::SA_SIGINFO, &[]);
        guard::install().unwrap();
        let copying = AtomicBool::new(true);
        let thread = AtomicU64::new(0);
        let started = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: no memory is involved.
                thread.store(unsafe { libc::pthread_self() } as u64, Ordering::SeqCst);
                started.store(true, Ordering::SeqCst);
                let from = patterned(0, 1 << 20);
                let mut to = vec![0; 1 << 20];
                while copying.load(Ordering::SeqCst) {
                    // SAFETY: two buffers of that length.
                    let result = unsafe { guard::copy(to.as_mut_ptr(), from.as_ptr(), from.len()) };
                    assert_eq!(result, Ok(()));
                    assert!(to == from);
                }
            });
            while !started.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let until = Instant::now() + Duration::from_secs(20);
            let mut sent = 0;
            // As fast as they are taken: a burst must not pile up on the handler's stack either.
            while (INSIDE.load(Ordering::SeqCst) < 20 || sent < 2000) && Instant::now() < until {
                // SAFETY: the thread runs until the scope's end.
                unsafe { libc::pthread_kill(thread.load(Ordering::SeqCst) as _, libc::SIGBUS) };
                sent += 1;
                wait_for_calls(sent);
            }
            copying.store(false, Ordering::SeqCst);
        });
        assert!(INSIDE.load(Ordering::SeqCst) >= 20, "{INSIDE:?} of {CALLS:?} in the copy");
        assert_eq!(guard::faults_recovered(), 0);
    })
    .assert_done();
}

#[test]
fn threads_that_install_at_once_are_all_guarded() {
    in_child(|| {
        handle(plain_address(), 0, &[]);
        let barrier = std::sync::Barrier::new(8);
        let faults = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let pages = lost();
                    let mut to = [0; 8];
                    barrier.wait();
                    guard::install().unwrap();
                    // SAFETY: a buffer of 8 bytes, and a mapped page.
                    let result = unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), 8) };
                    faults.fetch_add(u64::from(result.is_err()), Ordering::SeqCst);
                });
            }
        });
        assert_eq!(faults.into_inner(), 8);
        assert_eq!(guard::faults_recovered(), 8);
        // The predecessor is still the one there was, and not the guard itself.
        kill_self();
        wait_for_calls(1);
    })
    .assert_done();
}

#[test]
fn a_forked_child_is_guarded() {
    in_child(|| {
        guard::install().unwrap();
        let pages = lost();
        let mut to = [0; 8];
        // SAFETY: the child calls nothing but the copy and `_exit`.
        let status = unsafe {
            let child = libc::fork();
            assert!(child >= 0);
            if child == 0 {
                let result = guard::copy(to.as_mut_ptr(), pages.at(0), 8);
                libc::_exit(if result.is_err() { 7 } else { 8 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert!(libc::WIFEXITED(status), "{status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 7);
        assert_eq!(guard::faults_recovered(), 0, "the child's fault is the child's");
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn a_stack_overflow_is_still_reported_by_rust() {
    /// Uses the stack up.
    fn deeper(n: usize) -> usize {
        let frame = std::hint::black_box([n; 64]);
        if frame[0] == usize::MAX {
            return 0;
        }
        frame[n % 64] + deeper(n + 1) + frame[1]
    }
    in_child(|| {
        guard::install().unwrap();
        assert_guarded();
        let thread = std::thread::Builder::new().name("deep".into()).stack_size(256 * 1024);
        let _ = thread.spawn(|| deeper(0)).unwrap().join();
    })
    .assert_said_and_killed_by("has overflowed its stack", libc::SIGABRT);
}

#[test]
fn an_alternate_stack_is_used() {
    in_child(|| {
        handle(plain_address(), 0, &[]);
        guard::install().unwrap();
        let mut stack = vec![0_u8; 64 * 1024];
        let range = stack.as_ptr_range();
        let old = alternate_stack(Some(&mut stack));
        assert_guarded();
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGBUS) };
        assert!((range.start.addr()..range.end.addr()).contains(&STACK.load(Ordering::SeqCst)));
        // SAFETY: what was there before.
        assert_eq!(unsafe { libc::sigaltstack(&old, ptr::null_mut()) }, 0);
    })
    .assert_done();
}

#[test]
fn without_an_alternate_stack_it_works_too() {
    in_child(|| {
        handle(plain_address(), 0, &[]);
        guard::install().unwrap();
        std::thread::spawn(|| {
            // The thread's own comes back when it ends, or else Rust would be surprised.
            let old = alternate_stack(None);
            assert_guarded();
            let here = 0_u8;
            // SAFETY: no memory is involved.
            unsafe { libc::raise(libc::SIGBUS) };
            let apart = STACK.load(Ordering::SeqCst).abs_diff((&raw const here).addr());
            assert!(apart < 64 * 1024, "{apart} bytes from the interrupted frame");
            // SAFETY: what was there before.
            assert_eq!(unsafe { libc::sigaltstack(&old, ptr::null_mut()) }, 0);
        })
        .join()
        .unwrap();
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
    })
    .assert_done();
}

#[test]
fn a_thread_that_blocks_the_signal_is_not_protected() {
    in_child(|| {
        guard::install().unwrap();
        // SAFETY: a mask of our own.
        unsafe {
            let mut mask: libc::sigset_t = mem::zeroed();
            libc::sigaddset(&mut mask, libc::SIGBUS);
            libc::pthread_sigmask(libc::SIG_BLOCK, &mask, ptr::null_mut());
        }
        assert_guarded();
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn registers_and_errno_are_whole_after_a_fault() {
    in_child(|| {
        guard::install().unwrap();
        let pages = Pages::new(2 * page());
        pages.set_len(page());
        // Sums that live in registers across the calls, in both kinds of them.
        let (mut whole, mut real) = (0_u64, 0_f64);
        let mut to = vec![0; page()];
        for round in 0..1000 {
            let len = 1 + round % page();
            // SAFETY: this thread's own.
            unsafe { *libc::__errno_location() = 5 };
            // SAFETY: a buffer of a page, and mapped pages.
            let result = unsafe { guard::copy(to.as_mut_ptr(), pages.at(page() + 1 - len), len) };
            assert!(result.is_err());
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(5));
            whole += round as u64;
            real += round as f64;
        }
        assert_eq!((whole, real), (499_500, 499_500.0));
        // SAFETY: as above.
        assert_eq!(unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), page()) }, Ok(()));
        assert!((0..page()).all(|at| to[at] == pattern(at)));
    })
    .assert_done();
}

/// Sets this thread's alternate stack; returns the one it had.
fn alternate_stack(stack: Option<&mut Vec<u8>>) -> libc::stack_t {
    let new = match stack {
        Some(stack) => {
            libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() }
        }
        None => libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 },
    };
    // SAFETY: zeros are a value. The callers keep the stack until they set another.
    unsafe {
        let mut old: libc::stack_t = mem::zeroed();
        assert_eq!(libc::sigaltstack(&new, &mut old), 0);
        old
    }
}

/// What a profiler does: its handler's frame lies on the alternate stack, and isn't small.
mod profiler {
    use super::*;

    /// Signals that came, and those of them that came while another was handled on that stack.
    pub(super) static CAME: AtomicUsize = AtomicUsize::new(0);
    pub(super) static NESTED: AtomicUsize = AtomicUsize::new(0);

    pub(super) extern "C" fn handler(
        _: libc::c_int,
        _: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the kernel's context.
        let stack = unsafe { (*context).uc_stack };
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        let interrupted = unsafe { (*context).uc_mcontext.gregs[libc::REG_RSP as usize] as usize };
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        let interrupted = unsafe { (*context).uc_mcontext.sp as usize };
        let nested = interrupted.wrapping_sub(stack.ss_sp.addr()) < stack.ss_size;
        NESTED.fetch_add(usize::from(nested), Ordering::SeqCst);
        CAME.fetch_add(1, Ordering::SeqCst);
        // What it writes down of the frames that it found.
        std::hint::black_box([CAME.load(Ordering::SeqCst); 160]);
    }
}

#[test]
fn other_signals_wait_until_the_handler_is_done() {
    in_child(|| {
        guard::install().unwrap();
        let handler = (profiler::handler as WithInfo as *const ()).expose_provenance();
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        handle_signal(libc::SIGPROF, handler, flags, &[]);
        let thread = AtomicU64::new(0);
        let faults = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // A thread of the standard library's, with its alternate stack.
            scope.spawn(|| {
                let pages = lost();
                let mut to = [0; 8];
                // SAFETY: no memory is involved.
                thread.store(unsafe { libc::pthread_self() } as u64, Ordering::SeqCst);
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: a buffer of 8 bytes, and a mapped page.
                    let result = unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), 8) };
                    assert!(result.is_err());
                    faults.fetch_add(1, Ordering::Relaxed);
                }
            });
            while thread.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            while profiler::CAME.load(Ordering::SeqCst) < 500
                || faults.load(Ordering::Relaxed) < 500
            {
                // SAFETY: the thread runs until it is told that it is done.
                unsafe { libc::pthread_kill(thread.load(Ordering::SeqCst) as _, libc::SIGPROF) };
                // On few processors it would be kept from running by its own signals.
                std::thread::yield_now();
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(profiler::NESTED.load(Ordering::SeqCst), 0);
    })
    .assert_done();
}

#[test]
fn a_predecessor_runs_with_its_own_mask_and_not_the_guards() {
    in_child(|| {
        handle(plain_address(), libc::SA_NODEFER, &[libc::SIGUSR1]);
        guard::install().unwrap();
        // SAFETY: a mask of our own.
        unsafe {
            let mut mask: libc::sigset_t = mem::zeroed();
            libc::sigaddset(&mut mask, libc::SIGUSR2);
            libc::pthread_sigmask(libc::SIG_BLOCK, &mask, ptr::null_mut());
        }
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGBUS) };
        let both = 1 << libc::SIGUSR1 | 1 << libc::SIGUSR2;
        assert_eq!(BLOCKED.load(Ordering::SeqCst), both);
        assert_eq!(blocked(), 1 << libc::SIGUSR2, "what was blocked before, after it");
    })
    .assert_done();
}

#[test]
fn an_alternate_stack_of_the_kernels_frame_and_a_kib_is_enough() {
    in_child(|| {
        guard::install().unwrap();
        // SAFETY: no memory is involved. Where the kernel doesn't say, it is 0.
        let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        let frame = if frame == 0 { libc::MINSIGSTKSZ } else { frame };
        let mut stack = vec![0_u8; frame + 1024];
        let old = alternate_stack(Some(&mut stack));
        for _ in 0..100 {
            assert_guarded();
        }
        // SAFETY: what was there before.
        assert_eq!(unsafe { libc::sigaltstack(&old, ptr::null_mut()) }, 0);
    })
    .assert_done();
}
