//! The guard where a lost page may also be a SIGSEGV: FreeBSD and OpenBSD.
//!
//! Linux raises SIGBUS alone. Built with `--cfg iommap_watch_sigsegv`, as `cargo xtask platforms`
//! does, it watches SIGSEGV too, and a page that may not be touched stands for a lost one.
#![cfg(iommap_watch_sigsegv)]

use std::ptr;
use std::sync::atomic::Ordering;

use crate::child::in_child;
use crate::handlers::*;
use crate::pages::page;
use iommap_guard as guard;

/// A page whose touch is a SIGSEGV.
fn forbidden() -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let at = unsafe { libc::mmap(ptr::null_mut(), page(), libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(at, libc::MAP_FAILED);
    at.cast()
}

/// The guard makes a fault of it.
#[track_caller]
fn assert_guarded_from_sigsegv() {
    let before = guard::faults_recovered();
    let mut to = [0; 8];
    // SAFETY: a buffer of 8 bytes, and a page that is mapped.
    let result = unsafe { guard::copy(to.as_mut_ptr(), forbidden(), 8) };
    assert_eq!(result.map_err(|fault| fault.copied()), Err(0));
    assert_eq!(guard::faults_recovered(), before + 1);
}

#[test]
fn a_lost_page_that_is_sigsegv_is_a_fault_too() {
    in_child(|| {
        guard::install().unwrap();
        for _ in 0..3 {
            assert_guarded_from_sigsegv();
            assert_guarded();
        }
    })
    .assert_done();
}

#[test]
fn each_signal_has_a_predecessor_of_its_own() {
    in_child(|| {
        handle_signal(libc::SIGSEGV, with_info_address(), libc::SA_SIGINFO, &[libc::SIGUSR1]);
        handle_signal(libc::SIGBUS, libc::SIG_DFL, 0, &[]);
        guard::install().unwrap();
        assert_guarded_from_sigsegv();
        assert_eq!(CALLS.load(Ordering::SeqCst), 0);

        let at = forbidden();
        LOST.store(at, Ordering::SeqCst);
        assert_eq!(touch(at.wrapping_add(17)), 0);
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        assert_eq!(SIGNAL.load(Ordering::SeqCst), libc::SIGSEGV);
        assert_eq!(ADDRESS.load(Ordering::SeqCst), at.addr() + 17);
        assert_guarded_from_sigsegv();

        touch(lost().at(0));
    })
    .assert_killed_by(libc::SIGBUS);
}

#[test]
fn with_the_standard_librarys_handler_anothers_sigsegv_kills() {
    in_child(|| {
        guard::install().unwrap();
        touch(forbidden());
    })
    .assert_killed_by(libc::SIGSEGV);
}
