//! What a process has once for all its mappings, its threads and who they know of.
//!
//! A forked child has a copy of all that and none of the threads, and a mutex that one of them held is
//! held there for ever. So a child begins with its own, and its parent's is never looked at again.
//!
//! Not so the tables of the crate `iommap-guard`, which its handler of signals reads too: a child that drops a
//! store with windows may wait for ever, if another thread of its parent's opened or closed windows during
//! the fork.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// How many forks lie between this process and the one that asked first.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Tells a process from those that it was forked from. The system's number of a process does not: in a
/// namespace of its own a child may have the number of its parent.
pub(super) fn number() -> u32 {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // Nobody waits here for another thread, which a child has not. Where two have it watched at once, or a
    // child that was forked in between does so again, the count goes up by more than one: it is another
    // number all the same.
    if !WATCHED.load(Ordering::Acquire) {
        // SAFETY: what it calls in a child does nothing but to count.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        // Without memory for it nothing is counted yet, and whoever asks next tries again.
        WATCHED.store(failed == 0, Ordering::Release);
    }
    FORKS.load(Ordering::Relaxed)
}

/// Something that each process has of its own, from the first time on that it is asked for.
pub(crate) struct Own<T: 'static> {
    now: AtomicPtr<Made<T>>,
    make: fn() -> T,
}

struct Made<T> {
    process: u32,
    value: T,
}

impl<T: Send + Sync> Own<T> {
    pub(crate) const fn new(make: fn() -> T) -> Own<T> {
        Own { now: AtomicPtr::new(ptr::null_mut()), make }
    }

    pub(crate) fn get(&self) -> &'static T {
        let now = self.now.load(Ordering::Acquire);
        // SAFETY: null, or made below and never freed once it is here.
        match unsafe { now.as_ref() } {
            Some(made) if made.process == number() => &made.value,
            _ => self.make(now),
        }
    }

    #[cold]
    fn make(&self, before: *mut Made<T>) -> &'static T {
        let new = Box::into_raw(Box::new(Made { process: number(), value: (self.make)() }));
        let done = self.now.compare_exchange(before, new, Ordering::AcqRel, Ordering::Acquire);
        let now = match done {
            Ok(_) => new,
            // Another thread of this process was quicker.
            Err(now) => {
                // SAFETY: made above, and nobody else knows it.
                drop(unsafe { Box::from_raw(new) });
                now
            }
        };
        // SAFETY: it is there now, and never freed.
        unsafe { &(*now).value }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::thread;

    /// Does something in a forked child, and sees that it comes to its end. To be called in a process
    /// that may fork: a test's own.
    #[track_caller]
    pub(crate) fn in_fork(body: impl FnOnce()) {
        // SAFETY: no other thread of this process holds anything that the child uses.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: a signal for whoever waits for ever.
            unsafe { libc::alarm(100) };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
            // SAFETY: it ends the child, without what the parent would do at its end.
            unsafe { libc::_exit(if done { 7 } else { 8 }) };
        }
        let mut status = 0;
        // SAFETY: a child of this process, and a number to write to.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:x}");
    }

    #[test]
    fn a_forked_child_has_its_own_though_its_parent_holds_it() {
        static OWN: Own<Mutex<u32>> = Own::new(|| Mutex::new(7));
        iommap_child::in_child(|| {
            let mut held = OWN.get().lock().unwrap();
            *held = 8;
            in_fork(|| {
                assert_eq!(*OWN.get().lock().unwrap(), 7);
                *OWN.get().lock().unwrap() = 9;
                in_fork(|| assert_eq!(*OWN.get().lock().unwrap(), 7));
            });
            drop(held);
            assert_eq!(*OWN.get().lock().unwrap(), 8);
        })
        .assert_done();
    }

    #[test]
    fn all_threads_of_a_process_have_the_same() {
        static OWN: Own<Mutex<u32>> = Own::new(|| Mutex::new(7));
        let places = [(); 8].map(|()| thread::spawn(|| ptr::from_ref(OWN.get()).addr()));
        let places = places.map(|thread| thread.join().unwrap());
        assert!(places.iter().all(|place| *place == places[0]));
        assert_eq!(*OWN.get().lock().unwrap(), 7);
    }
}
