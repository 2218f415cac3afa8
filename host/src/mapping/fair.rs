//! A lock under which neither readers nor writers starve.
//!
//! The system's lock prefers somebody: std's, on Linux, wakes no reader while a writer waits, and two
//! or three threads that write without a pause keep every reader out for good. Here whoever has to
//! wait takes a turn first, and who has the turn waits for the lock alone: it gets the lock next.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A panic under the lock leaves the value as good as any for the next one: what is kept here is
/// changed by one assignment at a time.
#[derive(Debug)]
pub(super) struct FairLock<T> {
    /// Held while its holder waits for the lock, and no longer.
    turn: Mutex<()>,
    /// It is a writer that has the turn: no reader goes past it.
    writer_waits: AtomicBool,
    value: RwLock<T>,
}

impl<T> FairLock<T> {
    pub(super) fn new(value: T) -> FairLock<T> {
        FairLock { turn: Mutex::new(()), writer_waits: AtomicBool::new(false), value: value.into() }
    }

    /// Readers that meet no writer take no turn, and don't wait for each other.
    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, T> {
        if !self.writer_waits.load(Relaxed)
            && let Ok(guard) = self.value.try_read()
        {
            return guard;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, T> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.writer_waits.store(true, Relaxed);
        let guard = self.value.write().unwrap_or_else(PoisonError::into_inner);
        self.writer_waits.store(false, Relaxed);
        guard
    }

    pub(super) fn into_inner(self) -> T {
        self.value.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    /// Waits until somebody has the turn, for want of the lock.
    fn wait_for_one(lock: &FairLock<()>) {
        for _ in 0..100_000 {
            if lock.turn.try_lock().is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody takes a turn");
    }

    fn enter(lock: &FairLock<()>, writes: bool, work: impl FnOnce()) {
        if writes {
            let _held = lock.write();
            work();
        } else {
            let _held = lock.read();
            work();
        }
    }

    #[test]
    fn who_waits_is_next_whoever_else_comes() {
        // Does the one who has it write, the one who waits, and the one who comes then?
        for (has, waits, comes) in [
            (true, false, true),
            (true, true, false),
            (true, true, true),
            (false, true, false),
            (false, true, true),
        ] {
            let lock = FairLock::new(());
            let order = Mutex::new(Vec::new());
            let coming = AtomicBool::new(false);
            thread::scope(|scope| {
                enter(&lock, has, || {
                    scope.spawn(|| {
                        enter(&lock, waits, || order.lock().unwrap().push("waited"));
                    });
                    wait_for_one(&lock);
                    scope.spawn(|| {
                        coming.store(true, Relaxed);
                        enter(&lock, comes, || order.lock().unwrap().push("came"));
                    });
                    // Once it is on its way it has time to go past the other, if it could.
                    while !coming.load(Relaxed) {
                        thread::yield_now();
                    }
                    (0..20).for_each(|_| thread::yield_now());
                });
            });
            assert_eq!(*order.lock().unwrap(), ["waited", "came"], "{has} {waits} {comes}");
        }
    }

    #[test]
    fn readers_wait_for_no_reader() {
        let lock = FairLock::new(7);
        let (one, other) = (lock.read(), lock.read());
        assert_eq!(*one + *other, 14);
        drop((one, other));
        *lock.write() = 8;
        assert_eq!(lock.into_inner(), 8);
    }
}
