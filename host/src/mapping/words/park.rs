//! Threads that wait on words for tasks: one for each task that waits. They are no executor's, whose
//! threads for blocking work others need, and go when there was nothing to do for a while.

use super::{Waited, Waiting};
use crate::mapping::process::{self, Own};
use crate::usage::Reservation;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// How long a thread stays when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(1);

/// A thread does nothing but wait in the kernel and wake a task.
const STACK: usize = 256 << 10;

#[derive(Default)]
struct Pool {
    work: Mutex<Work>,
    more: Condvar,
}

#[derive(Default)]
struct Work {
    jobs: VecDeque<(Waiting, Arc<Parked>, Duration)>,
    /// Threads that wait for a job.
    idle: usize,
}

static POOL: Own<Pool> = Own::new(Pool::default);

/// A task that waits, as the task and its thread both have it.
#[derive(Default)]
struct Parked(Mutex<State>);

#[derive(Default)]
struct State {
    answer: Option<(Result<Waited, Errno>, Waiting)>,
    /// What was reserved for the wait, as long as either waits: the task gives it back before it goes on,
    /// or its guest could find its own place taken. Here, and not with the thread, for a forked child has
    /// its parent's task and not the thread.
    waiter: Option<Reservation>,
    waker: Option<Waker>,
    /// Nobody wants the answer any more.
    left: bool,
}

/// A wait on another thread. Dropped, it waits no longer: whoever wakes it then wakes the next.
struct Wait {
    parked: Arc<Parked>,
    /// In which process.
    process: u32,
}

impl Waiting {
    /// Has a task wait, for so long at most.
    pub(crate) async fn wait(mut self, time: Duration) -> Result<Waited, Errno> {
        let state = State { waiter: self.waiter.take(), ..State::default() };
        let parked = Arc::new(Parked(Mutex::new(state)));
        give(self, parked.clone(), time)?;
        Wait { parked, process: process::number() }.await
    }
}

/// Gives a thread a job, a new one if none is idle.
fn give(waiting: Waiting, parked: Arc<Parked>, time: Duration) -> Result<(), Errno> {
    let Pool { work: pool, more } = POOL.get();
    let mut pool = lock(pool);
    if pool.idle <= pool.jobs.len() {
        let builder = thread::Builder::new().name("iommap-waits".into()).stack_size(STACK);
        // It comes to its job when this lets go of the pool.
        builder.spawn(work).map_err(|_| Errno::NOMEM)?;
        pool.idle += 1;
    }
    pool.jobs.push_back((waiting, parked, time));
    drop(pool);
    more.notify_one();
    Ok(())
}

/// A thread: counted as idle when it begins.
fn work() {
    let Pool { work, more } = POOL.get();
    let mut pool = lock(work);
    loop {
        let Some((waiting, parked, time)) = pool.jobs.pop_front() else {
            let waited = more.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
            pool = waited.0;
            if waited.1.timed_out() && pool.jobs.is_empty() {
                pool.idle -= 1;
                return;
            }
            continue;
        };
        pool.idle -= 1;
        drop(pool);
        let answer = waiting.wait_here(Some(time));
        parked.answer(answer, waiting);
        drop(parked);
        pool = lock(work);
        pool.idle += 1;
    }
}

impl Parked {
    fn answer(&self, answer: Result<Waited, Errno>, waiting: Waiting) {
        let mut state = lock(&self.0);
        if state.left {
            drop(state);
            return passed_on(answer, &waiting);
        }
        state.answer = Some((answer, waiting));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            // A waker is somebody else's code; others still need this thread.
            let _ = catch_unwind(AssertUnwindSafe(move || waker.wake()));
        }
    }
}

/// Nobody takes this answer.
fn passed_on(answer: Result<Waited, Errno>, waiting: &Waiting) {
    if answer == Ok(Waited::Woken) {
        waiting.pass_on();
    }
}

impl Future for Wait {
    type Output = Result<Waited, Errno>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.process != process::number() {
            // A forked child has its parent's wait, and not the thread: this stretch is over.
            self.leave_to_parent();
            return Poll::Ready(Ok(Waited::TimedOut));
        }
        let mut state = lock(&self.parked.0);
        if let Some((answer, waiting)) = state.answer.take() {
            let waiter = state.waiter.take();
            drop(state);
            drop((waiting, waiter));
            return Poll::Ready(answer);
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Wait {
    /// In a forked child: gives back the copy of what was reserved. A thread of the parent's that was at it
    /// during the fork holds the lock for ever, and then the copy stays.
    fn leave_to_parent(&self) {
        let waiter = self.parked.0.try_lock().ok().and_then(|mut state| state.waiter.take());
        drop(waiter);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.process != process::number() {
            return self.leave_to_parent();
        }
        let mut state = lock(&self.parked.0);
        state.left = true;
        let answer = state.answer.take();
        let waker = state.waker.take();
        drop(state);
        drop(waker);
        if let Some((answer, waiting)) = answer {
            passed_on(answer, &waiting);
        }
    }
}

/// Each change under these locks is one assignment, or one call of a queue's.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod tests {
    use super::*;
    use crate::mapping::Mapping;
    use std::ffi::c_long;
    use std::pin::pin;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;

    struct Tells(Mutex<Sender<()>>);

    impl Wake for Tells {
        fn wake(self: Arc<Self>) {
            let _ = lock(&self.0).send(());
        }
    }

    /// How many wait on the word: as many as the kernel has moved from it to itself.
    fn waiting_on(mapping: &Mapping) -> c_long {
        let at = mapping.shared().opened().unwrap().region.at(0, 4).unwrap();
        // SAFETY: the kernel finds out by the address which word it is.
        unsafe {
            libc::syscall(libc::SYS_futex, at, libc::FUTEX_REQUEUE, 0, i32::MAX as c_long, at)
        }
    }

    #[test]
    fn tasks_of_a_forked_child_wait_on_threads_of_its_own() {
        iommap_child::in_child(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(64).unwrap();
            let mapping = Mapping::options().read(true).write(true).open(file.path()).unwrap();
            let wait =
                |time| mapping.shared().waiting(0, 0, Some(time)).unwrap().unwrap().wait(time);
            let end = |mut wait: Pin<Box<dyn Future<Output = Result<Waited, Errno>>>>| {
                let (sender, told) = channel();
                let waker = Waker::from(Arc::new(Tells(Mutex::new(sender))));
                loop {
                    match wait.as_mut().poll(&mut Context::from_waker(&waker)) {
                        Poll::Ready(done) => return done,
                        Poll::Pending => told.recv().unwrap(),
                    }
                }
            };
            let soon = Duration::from_millis(20);
            // Now there is a thread that is idle, and one that waits.
            assert_eq!(end(Box::pin(wait(soon))), Ok(Waited::TimedOut));
            let mut waits = Box::pin(wait(Duration::from_secs(60)));
            assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            process::tests::in_fork(|| {
                assert_eq!(end(Box::pin(wait(soon))), Ok(Waited::TimedOut));
                // This stretch of its parent's is over at once, and its guest waits anew.
                let done = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(done, Poll::Ready(Ok(Waited::TimedOut)));
            });
        })
        .assert_done();
    }

    #[test]
    fn a_forked_child_gets_its_place_back_and_waits_for_no_lock() {
        iommap_child::in_child(|| {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(64).unwrap();
            let mapping = Mapping::options().read(true).write(true).open(file.path()).unwrap();
            let usage = mapping.shared().usage().clone();
            let waiters = || usage.counters().waiters;
            let begin = || {
                let time = Duration::from_secs(60);
                let waiting = mapping.shared().waiting(0, 0, Some(time)).unwrap().unwrap();
                let mut wait = Box::pin(waiting.wait(time));
                assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                wait
            };
            let (mut polled, dropped) = (begin(), begin());
            assert_eq!(waiters(), 2);
            process::tests::in_fork(|| {
                let done = polled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(done, Poll::Ready(Ok(Waited::TimedOut)));
                assert_eq!(waiters(), 1);
                drop(dropped);
                assert_eq!(waiters(), 0);
            });
            assert_eq!(waiters(), 2);
            // As a thread that is about to answer when the process forks.
            let parked = Arc::<Parked>::default();
            let wait = || Wait { parked: parked.clone(), process: process::number() };
            let (mut polled, mut dropped) = (pin!(wait()), Some(wait()));
            let held = lock(&parked.0);
            process::tests::in_fork(|| {
                let done = polled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert_eq!(done, Poll::Ready(Ok(Waited::TimedOut)));
                drop(dropped.take());
            });
            drop(held);
        })
        .assert_done();
    }

    #[test]
    fn who_is_woken_and_has_left_wakes_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, [0; 64]).unwrap();
        let mapping = Mapping::options().read(true).write(true).open(&path).unwrap();
        let (sender, told) = channel();
        let waker = Waker::from(Arc::new(Tells(Mutex::new(sender))));
        let context = &mut Context::from_waker(&waker);
        let time = Duration::from_secs(60);
        // Both ways to leave: before it was woken, and before the answer was taken.
        for leaves_first in [true, false] {
            let wait = || mapping.shared().waiting(0, 0, Some(time)).unwrap().unwrap().wait(time);
            let mut first = Box::pin(wait());
            assert!(first.as_mut().poll(context).is_pending());
            while waiting_on(&mapping) < 1 {
                thread::yield_now();
            }
            let mut second = pin!(wait());
            assert!(second.as_mut().poll(context).is_pending());
            while waiting_on(&mapping) < 2 {
                thread::yield_now();
            }
            if leaves_first {
                drop(first);
                assert_eq!(mapping.notify(0, 1), Ok(1));
            } else {
                assert_eq!(mapping.notify(0, 1), Ok(1));
                told.recv_timeout(time).unwrap();
                drop(first);
            }
            told.recv_timeout(time).unwrap();
            assert_eq!(second.as_mut().poll(context), Poll::Ready(Ok(Waited::Woken)));
            assert_eq!(waiting_on(&mapping), 0);
        }
    }
}
