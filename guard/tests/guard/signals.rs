//! The guard's handler among other handlers: whose signal is whose.
//!
//! Only where there is a handler: other processors copy by system call.
#![cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::child::in_child;
use crate::handlers::*;
use iommap_guard as guard;
use iommap_guard_second as second;

#[test]
fn a_predecessor_with_info_gets_all_of_anothers_fault() {
    in_child(|| {
        handle(with_info_address(), libc::SA_SIGINFO, &[libc::SIGUSR1]);
        guard::install().unwrap();
        assert_guarded();
        assert_eq!(CALLS.load(Ordering::SeqCst), 0);

        let pages = lost();
        LOST.store(pages.at(0), Ordering::SeqCst);
        // SAFETY: this thread's own.
        unsafe { *libc::__errno_location() = 5 };
        assert_eq!(touch(pages.at(17)), 0);
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(5), "errno changed");

        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_eq!(SIGNAL.load(Ordering::SeqCst), libc::SIGBUS);
        assert_eq!(CODE.load(Ordering::SeqCst), libc::BUS_ADRERR);
        assert_eq!(ADDRESS.load(Ordering::SeqCst), pages.at(17).addr());
        assert!(CONTEXT.load(Ordering::SeqCst));
        let mask = 1 << libc::SIGBUS | 1 << libc::SIGUSR1;
        assert_eq!(BLOCKED.load(Ordering::SeqCst), mask, "its mask held while it ran");
        assert_eq!(blocked(), 0, "and not longer");
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn a_plain_predecessor_gets_anothers_fault() {
    in_child(|| {
        handle(plain_address(), libc::SA_NODEFER, &[]);
        guard::install().unwrap();
        let pages = lost();
        LOST.store(pages.at(0), Ordering::SeqCst);
        assert_eq!(touch(pages.at(17)), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_eq!(SIGNAL.load(Ordering::SeqCst), libc::SIGBUS);
        assert_eq!(BLOCKED.load(Ordering::SeqCst), 0, "it didn't want the signal deferred");
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn a_predecessor_gets_a_signal_that_is_sent() {
    in_child(|| {
        handle(with_info_address(), libc::SA_SIGINFO, &[]);
        guard::install().unwrap();
        kill_self();
        wait_for_calls(1);
        assert_eq!(CODE.load(Ordering::SeqCst), libc::SI_USER);
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGBUS) };
        wait_for_calls(2);
        assert_eq!(CODE.load(Ordering::SeqCst), libc::SI_TKILL);
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn a_predecessors_flags_are_kept_where_the_kernel_acts_on_them() {
    in_child(|| {
        handle(plain_address(), libc::SA_RESTART | libc::SA_NODEFER, &[]);
        guard::install().unwrap();
        let guards = handle(libc::SIG_DFL, 0, &[]);
        assert_ne!(guards.sa_flags & libc::SA_RESTART, 0);
        assert_ne!(guards.sa_flags & libc::SA_ONSTACK, 0);
        // The predecessor has it when it runs; ours never is open to the signal.
        assert_eq!(guards.sa_flags & libc::SA_NODEFER, 0);
    })
    .assert_done();
}

#[test]
fn a_predecessor_for_one_signal_gets_one_and_the_second_kills() {
    in_child(|| {
        handle(plain_address(), libc::SA_RESETHAND, &[]);
        guard::install().unwrap();
        kill_self();
        wait_for_calls(1);
        assert_guarded();
        println!("one survived");
        kill_self();
    })
    .assert_said_and_killed_by("one survived", libc::SIGBUS);
}

#[test]
fn a_predecessor_that_meets_a_lost_page_itself_is_guarded() {
    /// How many faults the handler met.
    static MET: AtomicUsize = AtomicUsize::new(0);
    /// A page that it copies from.
    static FROM: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
    extern "C" fn copies(_: libc::c_int) {
        let mut to = [0; 100];
        // SAFETY: a buffer of 100 bytes, and a mapped page.
        let result = unsafe { guard::copy(to.as_mut_ptr(), FROM.load(Ordering::SeqCst), to.len()) };
        MET.fetch_add(usize::from(result.is_err()), Ordering::SeqCst);
    }
    in_child(|| {
        let handler = (copies as Plain as *const ()).expose_provenance();
        handle(handler, libc::SA_NODEFER, &[]);
        guard::install().unwrap();
        let pages = lost();
        FROM.store(pages.at(0), Ordering::SeqCst);
        // SAFETY: no memory is involved.
        unsafe { libc::raise(libc::SIGBUS) };
        assert_eq!(MET.load(Ordering::SeqCst), 1);
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn by_default_anothers_fault_kills() {
    in_child(|| {
        handle(libc::SIG_DFL, 0, &[]);
        guard::install().unwrap();
        assert_guarded();
        touch(lost().at(0));
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn by_default_a_signal_that_is_sent_kills() {
    in_child(|| {
        handle(libc::SIG_DFL, 0, &[]);
        guard::install().unwrap();
        assert_guarded();
        kill_self();
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn with_the_standard_librarys_handler_anothers_fault_kills() {
    in_child(|| {
        guard::install().unwrap();
        assert_guarded();
        touch(lost().at(0));
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn with_the_standard_librarys_handler_a_sent_signal_kills() {
    in_child(|| {
        guard::install().unwrap();
        assert_guarded();
        kill_self();
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn a_fault_cannot_be_ignored() {
    in_child(|| {
        handle(libc::SIG_IGN, 0, &[]);
        guard::install().unwrap();
        assert_guarded();
        touch(lost().at(0));
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn a_signal_that_is_sent_can_be_ignored() {
    in_child(|| {
        handle(libc::SIG_IGN, 0, &[]);
        guard::install().unwrap();
        for _ in 0..3 {
            kill_self();
        }
        assert_guarded();
    })
    .assert_done();
}

#[test]
fn a_later_handler_that_passes_on_changes_nothing() {
    /// What the later handler replaced.
    static OLD: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn later(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        CALLS.fetch_add(1, Ordering::SeqCst);
        let old = ptr::with_exposed_provenance::<()>(OLD.load(Ordering::SeqCst));
        // SAFETY: the guard's handler, which is of this type.
        let old = unsafe { mem::transmute::<*const (), WithInfo>(old) };
        old(signal, info, context);
    }
    in_child(|| {
        guard::install().unwrap();
        let handler = (later as WithInfo as *const ()).expose_provenance();
        let old = handle(handler, libc::SA_SIGINFO, &[]);
        assert_ne!(old.sa_flags & libc::SA_SIGINFO, 0);
        OLD.store(old.sa_sigaction, Ordering::SeqCst);
        // Once more changes nothing: the guard doesn't push itself to the front.
        guard::install().unwrap();
        assert_guarded();
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        // It blocks the signal, so the death that the default asks for comes when it returns.
        println!("guarded");
        kill_self();
    })
    .assert_said_and_killed_by("guarded", libc::SIGBUS);
}

#[test]
fn two_versions_of_the_crate_recover_their_own() {
    in_child(|| {
        handle(plain_address(), libc::SA_NODEFER, &[]);
        guard::install().unwrap();
        second::install().unwrap();
        let pages = lost();
        let mut to = [0; 100];
        for _ in 0..3 {
            // SAFETY: a buffer of 100 bytes, and a mapped page.
            let first = unsafe { guard::copy(to.as_mut_ptr(), pages.at(0), 100) };
            assert_eq!(first.map_err(|fault| fault.copied()), Err(0));
            // SAFETY: as above.
            let second = unsafe { second::copy(to.as_mut_ptr(), pages.at(0), 100) };
            assert_eq!(second.map_err(|fault| fault.copied()), Err(0));
        }
        assert_eq!((guard::faults_recovered(), second::faults_recovered()), (3, 3));
        // What belongs to neither goes through both.
        LOST.store(pages.at(0), Ordering::SeqCst);
        assert_eq!(touch(pages.at(0)), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
    })
    .assert_done();
}

#[test]
fn with_two_versions_of_the_crate_a_sent_signal_kills() {
    in_child(|| {
        guard::install().unwrap();
        second::install().unwrap();
        kill_self();
    })
    .assert_killed_by(libc::SIGBUS);
}
