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
