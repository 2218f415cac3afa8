//! How somebody who waits for a lock is woken: a thread, or a task of whatever executor.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// How long the thread here stays when nobody waits any more.
const IDLE: Duration = Duration::from_secs(1);

/// Somebody who waits.
#[derive(Debug, Default)]
pub(in super::super) struct Signal {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    woken: bool,
    waker: Option<Waker>,
}

impl Signal {
    /// It is worth another look.
    pub(in super::super) fn wake(&self) {
        let waker = {
            let mut state = lock(&self.state);
            state.woken = true;
            state.waker.take()
        };
        self.woken.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Forgets that it was woken: before the look, so that what happens after it counts.
    pub(in super::super) fn clear(&self) {
        lock(&self.state).woken = false;
    }

    /// Has this thread wait until it is woken, or until then.
    pub(in super::super) fn wait(&self, until: Instant) {
        let mut state = lock(&self.state);
        while !state.woken {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.woken.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has a task wait until it is woken, or until then.
    pub(in super::super) fn poll(
        self: &Arc<Self>,
        until: Instant,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.woken || Instant::now() >= until {
            return Poll::Ready(());
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        drop(state);
        if alarm(self, until) { Poll::Pending } else { Poll::Ready(()) }
    }
}

/// Those whom a thread wakes when it is time, with a number for those of one moment.
struct Alarms {
    number: u64,
    due: BTreeMap<(Instant, u64), Weak<Signal>>,
    /// Is the thread there?
    kept: bool,
}

static ALARMS: Mutex<Alarms> = Mutex::new(Alarms { number: 0, due: BTreeMap::new(), kept: false });
static SOONER: Condvar = Condvar::new();

/// Has somebody woken then. An executor's own timers are not for everybody's use: tokio panics where
/// its embedder has none. Tells whether there is a thread to do it.
fn alarm(signal: &Arc<Signal>, at: Instant) -> bool {
    let mut alarms = lock(&ALARMS);
    if !alarms.kept {
        let keeper = thread::Builder::new().name("iommap-locks".into());
        if keeper.spawn(keep).is_err() {
            return false;
        }
        alarms.kept = true;
    }
    alarms.number += 1;
    let number = alarms.number;
    let sooner = alarms.due.first_key_value().is_none_or(|((first, _), _)| at < *first);
    alarms.due.insert((at, number), Arc::downgrade(signal));
    drop(alarms);
    if sooner {
        SOONER.notify_one();
    }
    true
}

/// The thread: wakes whoever it is time for, and ends when there was nobody for a while.
fn keep() {
    let mut alarms = lock(&ALARMS);
    loop {
        let now = Instant::now();
        let Some((&(at, _), _)) = alarms.due.first_key_value() else {
            let (guard, waited) =
                SOONER.wait_timeout(alarms, IDLE).unwrap_or_else(PoisonError::into_inner);
            alarms = guard;
            if waited.timed_out() && alarms.due.is_empty() {
                alarms.kept = false;
                return;
            }
            continue;
        };
        if at > now {
            let waited = SOONER.wait_timeout(alarms, at - now);
            alarms = waited.unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        let due = alarms.due.pop_first().and_then(|(_, signal)| signal.upgrade());
        // A waker is somebody else's code.
        drop(alarms);
        if let Some(signal) = due {
            // One that panics has been told; all others in the process still need this thread.
            let _ = catch_unwind(AssertUnwindSafe(move || signal.wake()));
        }
        alarms = lock(&ALARMS);
    }
}

/// Each change under these locks is one assignment, or one call of a map's.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics, as this test has it");
        }
    }

    struct Tells(Mutex<Sender<()>>);

    impl Wake for Tells {
        fn wake(self: Arc<Self>) {
            let _ = lock(&self.0).send(());
        }
    }

    #[test]
    fn a_waker_that_panics_leaves_the_others_their_alarms() {
        let signals = [(); 3].map(|()| Arc::new(Signal::default()));
        let now = Instant::now();
        let panics = Waker::from(Arc::new(Panics));
        for signal in &signals[..2] {
            let until = now + Duration::from_millis(20);
            assert!(signal.poll(until, &mut Context::from_waker(&panics)).is_pending());
        }
        let (sender, told) = channel();
        let tells = Waker::from(Arc::new(Tells(Mutex::new(sender))));
        // One that is there already, and one that is set when the others have panicked.
        for _ in 0..2 {
            let until = Instant::now() + Duration::from_millis(60);
            assert!(signals[2].poll(until, &mut Context::from_waker(&tells)).is_pending());
            assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(()));
            signals[2].clear();
        }
    }
}
