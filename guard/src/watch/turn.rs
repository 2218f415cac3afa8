//! One thread at a time looks what stands at a lost page and puts zeros there.
//!
//! Two threads may lose the same page at once. If both looked first and put zeros there after, the
//! second would wipe out what the first had stored in the meantime. So the second waits, and then
//! sees the zeros of the first.
//!
//! This is the only place where the handler waits for anybody. What it waits for is another thread
//! in the handler, with all signals blocked, that makes a few system calls. The wait is the
//! kernel's (a futex), so the other one gets to run whatever the threads' priorities are.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::own;
use crate::mask::Blocked;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and somebody may be waiting.
const AWAITED: u32 = 2;

/// This thread's turn, until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// None if the process has no room for it: then all go at once.
    word: Option<&'static AtomicU32>,
    /// Dropped last. The handler may have been called by one that came later and blocks nothing;
    /// then a signal's handler that loses a page itself would wait for the thread it interrupted.
    _blocked: Blocked,
}

impl Turn {
    /// Waits for this thread's turn.
    pub(super) fn wait() -> Self {
        let blocked = Blocked::hold();
        let word = own::own().map(|own| &own.turn);
        if let Some(word) = word {
            lock(word);
        }
        Self { word, _blocked: blocked }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(word) = self.word
            && word.swap(FREE, Ordering::Release) == AWAITED
        {
            futex(word, libc::FUTEX_WAKE, 1);
        }
    }
}

fn lock(word: &AtomicU32) {
    if word.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        return;
    }
    // There may be more who wait than this thread knows, so its turn too is an awaited one.
    while word.swap(AWAITED, Ordering::Acquire) != FREE {
        futex(word, libc::FUTEX_WAIT, AWAITED);
    }
}

/// Waits while the word is `value`, or wakes so many. Whatever it says, the caller looks again.
fn futex(word: &AtomicU32, what: libc::c_int, value: u32) {
    let what = what | libc::FUTEX_PRIVATE_FLAG;
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the word stays, and the kernel only compares it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), what, value, forever) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn one_thread_has_its_turn_and_all_get_one() {
        const TURNS: usize = 500;
        own::make_room();
        let (taken, mut turns) = (AtomicBool::new(false), [0; 4]);
        std::thread::scope(|scope| {
            for turns in &mut turns {
                let taken = &taken;
                scope.spawn(move || {
                    for turn in 0..TURNS {
                        let _turn = Turn::wait();
                        assert!(!taken.swap(true, Ordering::Relaxed));
                        if turn % 50 == 0 {
                            std::thread::yield_now();
                        }
                        taken.store(false, Ordering::Relaxed);
                        *turns += 1;
                    }
                });
            }
        });
        assert_eq!(turns, [TURNS; 4]);
    }
}
