//! How somebody who waits for a lock is woken: a thread, or a task of whatever executor.

use crate::mapping::process::{self, Own};
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
    /// The one alarm that is set for it, or was.
    alarm: Option<Alarm>,
    /// In which process.
    process: u32,
}

/// When, and a number for those of one moment.
type Alarm = (Instant, u64);

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
        // A forked child has its parent's waits, and not who ends them.
        let here = process::number();
        if state.process != here {
            (state.process, state.alarm) = (here, None);
        }
        if state.alarm.is_none_or(|(at, _)| at != until) {
            state.alarm = set_alarm(self, until, state.alarm);
        }
        if state.alarm.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(alarm) = state.alarm
            && state.process == process::number()
        {
            lock(&KEEPER.get().alarms).due.remove(&alarm);
        }
    }
}

/// Those whom a thread wakes when it is time.
#[derive(Default)]
struct Alarms {
    number: u64,
    due: BTreeMap<Alarm, Weak<Signal>>,
    /// Is the thread there?
    kept: bool,
}

#[derive(Default)]
struct Keeper {
    alarms: Mutex<Alarms>,
    sooner: Condvar,
}

static KEEPER: Own<Keeper> = Own::new(Keeper::default);

/// Has somebody woken then, in place of when it was to be. An executor's own timers are not for
/// everybody's use: tokio panics where its embedder has none. `None`: there is no thread to do it.
fn set_alarm(signal: &Arc<Signal>, at: Instant, before: Option<Alarm>) -> Option<Alarm> {
    let Keeper { alarms, sooner: is_sooner } = KEEPER.get();
    let mut alarms = lock(alarms);
    if let Some(before) = before {
        alarms.due.remove(&before);
    }
    if !alarms.kept {
        let keeper = thread::Builder::new().name("iommap-locks".into());
        keeper.spawn(keep).ok()?;
        alarms.kept = true;
    }
    alarms.number += 1;
    let number = alarms.number;
    let sooner = alarms.due.first_key_value().is_none_or(|((first, _), _)| at < *first);
    alarms.due.insert((at, number), Arc::downgrade(signal));
    drop(alarms);
    if sooner {
        is_sooner.notify_one();
    }
    Some((at, number))
}

/// The thread: wakes whoever it is time for, and ends when there was nobody for a while.
fn keep() {
    let Keeper { alarms: all, sooner } = KEEPER.get();
    let mut alarms = lock(all);
    loop {
        let now = Instant::now();
        let Some((&(at, _), _)) = alarms.due.first_key_value() else {
            let (guard, waited) =
                sooner.wait_timeout(alarms, IDLE).unwrap_or_else(PoisonError::into_inner);
            alarms = guard;
            if waited.timed_out() && alarms.due.is_empty() {
                alarms.kept = false;
                return;
            }
            continue;
        };
        if at > now {
            let waited = sooner.wait_timeout(alarms, at - now);
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
        alarms = lock(all);
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

    /// Waits as a task does that nothing else wakes.
    fn wait(signal: &Arc<Signal>, until: Instant) {
        let (sender, told) = channel();
        let waker = Waker::from(Arc::new(Tells(Mutex::new(sender))));
        while signal.poll(until, &mut Context::from_waker(&waker)).is_pending() {
            told.recv().unwrap();
        }
    }

    #[test]
    fn tasks_of_a_forked_child_are_woken_when_it_is_time() {
        iommap_child::in_child(|| {
            let soon = || Instant::now() + Duration::from_millis(40);
            // Now there is a thread for it, which the child has not; and one waits already.
            let waits = Arc::new(Signal::default());
            wait(&waits, soon());
            let until = soon();
            let pending = waits.poll(until, &mut Context::from_waker(Waker::noop())).is_pending();
            process::tests::in_fork(|| {
                wait(&waits, until);
                wait(&Arc::new(Signal::default()), soon());
                drop(waits);
            });
            assert!(pending || Instant::now() >= until);
        })
        .assert_done();
    }

    #[test]
    fn who_waits_has_one_alarm_however_often_it_is_polled() {
        let set = |signal: &Arc<Signal>| {
            let alarms = lock(&KEEPER.get().alarms);
            let ours = |other: &&Weak<Signal>| std::ptr::eq(other.as_ptr(), &raw const **signal);
            alarms.due.values().filter(ours).count()
        };
        let (signal, now) = (Arc::new(Signal::default()), Instant::now());
        for n in 0..100 {
            // At one time and at others, sooner and later.
            let until = now + Duration::from_secs(3600 + (n / 2 * 7) % 5);
            assert!(signal.poll(until, &mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!(set(&signal), 1, "{n}");
        }
        let left = signal.state.lock().unwrap().alarm.unwrap();
        drop(signal);
        assert!(!lock(&KEEPER.get().alarms).due.contains_key(&left));
    }
}
