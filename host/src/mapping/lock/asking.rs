//! Asking for a lock, step by step: who does it waits between the steps, as it can.

use super::ranges::{LockMode, Wish};
use super::signal::Signal;
use super::table::{Deadlock, number, table};
use super::{Asked, Owner, Place};
use crate::error::{Error, ErrorKind};
use crate::mapping::mapped::Mapped;
use crate::mapping::range::Range;
use crate::usage::Usage;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a guest waits at one stretch: so long it can't be ended.
const STRETCH: Duration = Duration::from_millis(50);

/// How long it is until another process is first asked again, and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Who comes back so late has begun something else.
const KEPT: Duration = Duration::from_secs(10);

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Locked,
    Busy,
    Deadlock,
    /// The stretch is over, and the time is not.
    Again,
}

/// What came of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Over(Outcome),
    /// The next step is due then, or when it is woken.
    Wait(Instant),
}

/// Somebody asks for a lock.
#[derive(Debug)]
pub(crate) struct Asking {
    wish: Wish,
    owner: Option<Owner>,
    /// For how long. `None`: as long as it takes.
    wait: Option<Duration>,
    /// When the time is over. `None`: never.
    end: Option<Instant>,
    /// When the stretch is over. `None`: never.
    stretch: Option<Instant>,
    pause: Duration,
    waiter: Option<Waiter>,
}

impl Asking {
    /// By an owner, who waits for a stretch only; or by somebody else, for all of the time.
    pub(crate) fn new(
        mapped: &Mapped,
        range: Range,
        mode: LockMode,
        wait: Option<Duration>,
        owner: Option<Owner>,
    ) -> Result<Asking, Error> {
        let now = Instant::now();
        Ok(Asking {
            wish: mapped.wish(range, mode)?,
            owner,
            wait,
            end: wait.and_then(|wait| now.checked_add(wait)),
            stretch: owner.map(|_| now + STRETCH),
            pause: PAUSES.0,
            waiter: None,
        })
    }

    /// Asks, once.
    pub(crate) fn step(&mut self, mapped: &mut Mapped) -> Result<Step, Error> {
        let usage = mapped.usage().clone();
        // A forked child has its parent's place, which its own table does not know.
        self.waiter.take_if(|waiter| !waiter.place.is_ours());
        if let Some(step) = self.go_on(mapped)? {
            return Ok(step);
        }
        let locks = mapped.locks()?;
        let place = locks.seat.0;
        let tries = self.tries();
        let first = match &self.waiter {
            Some(waiter) => {
                waiter.signal.clear();
                !table().has_to_let_others(place.file, waiter.turn)
            }
            None => tries || !table().has_queue(place.file, &self.wish),
        };
        if first && locks.set(&self.wish.range, Some(self.wish.mode), self.owner)? {
            if let Some(mut waiter) = self.waiter.take() {
                waiter.got = true;
            }
            usage.count_lock();
            return Ok(Step::Over(Outcome::Locked));
        }
        if tries {
            return Ok(Step::Over(Outcome::Busy));
        }
        if self.waiter.is_none() {
            return Ok(self.queue(place, &usage));
        }
        self.not_yet(mapped)
    }

    /// Could not ask, for now: that is nobody's refusal. `None`: it is, for one that only tries.
    #[cfg(feature = "async")]
    pub(crate) fn put_off(&mut self, mapped: &mut Mapped) -> Option<Result<Step, Error>> {
        if self.tries() {
            return None;
        }
        let gone_on = self.go_on(mapped).transpose();
        Some(gone_on.unwrap_or_else(|| self.not_yet(mapped)))
    }

    fn tries(&self) -> bool {
        self.wait == Some(Duration::ZERO)
    }

    /// Goes on with what was kept of the stretch before, if this is one of the same wait.
    fn go_on(&mut self, mapped: &mut Mapped) -> Result<Option<Step>, Error> {
        let kept = mapped.open.as_mut().ok_or(ErrorKind::Closed)?.kept_wait.take();
        let Some(kept) = kept.filter(|kept| kept.is_of(self)) else { return Ok(None) };
        self.end = kept.end;
        let Some(waiter) = kept.waiter.filter(|waiter| waiter.place.is_ours()) else {
            return Ok(None);
        };
        let back = table().come_back(waiter.place.file, waiter.turn);
        match back {
            Some(Ok(())) => self.waiter = Some(waiter),
            Some(Err(Deadlock)) => return Ok(Some(deadlock(mapped.usage()))),
            None => {}
        }
        Ok(None)
    }

    /// What is next for one that has not got it.
    fn not_yet(&mut self, mapped: &mut Mapped) -> Result<Step, Error> {
        let now = Instant::now();
        if self.end.is_some_and(|end| end <= now) {
            return Ok(Step::Over(Outcome::Busy));
        }
        if self.stretch.is_some_and(|stretch| stretch <= now) {
            let waiter = self.waiter.take();
            if let Some(waiter) = &waiter {
                table().go_away(waiter.place.file, waiter.turn);
            }
            let wish = self.wish.clone();
            let kept = Kept { waiter, wish, wait: self.wait, end: self.end, since: now };
            mapped.open.as_mut().ok_or(ErrorKind::Closed)?.kept_wait = Some(Box::new(kept));
            return Ok(Step::Over(Outcome::Again));
        }
        let due = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
        let ends = [self.end, self.stretch].into_iter().flatten();
        Ok(Step::Wait(ends.fold(due, Instant::min)))
    }

    /// Waits from now on. The lock may have become free before anybody knew that, so that the next
    /// step is due at once.
    fn queue(&mut self, place: Place, usage: &Usage) -> Step {
        let given_up = table().give_up(self.owner);
        given_up.wake();
        let mut table = table();
        let turn = number();
        let Place { file, mapping, .. } = place;
        match table.queue(file, mapping, self.owner, &self.wish, turn) {
            Ok(signal) => {
                usage.count_lock_wait();
                // The mapping may be a forked child's copy: the place among its own is not.
                let place = Place { process: Asked::here(), ..place };
                self.waiter = Some(Waiter { place, turn, signal, got: false });
                Step::Wait(Instant::now())
            }
            Err(Deadlock) => deadlock(usage),
        }
    }

    /// Has this thread wait for the next step.
    pub(crate) fn wait_here(&self, until: Instant) {
        if let Some(waiter) = &self.waiter {
            waiter.signal.wait(until);
        }
    }

    /// Has a task wait for it.
    pub(crate) async fn wait(&self, until: Instant) {
        // Who has no place yet is woken by the time only.
        let signal = self.waiter.as_ref().map(|waiter| waiter.signal.clone()).unwrap_or_default();
        poll_fn(|context| signal.poll(until, context)).await;
    }
}

fn deadlock(usage: &Usage) -> Step {
    usage.count_lock_deadlock();
    Step::Over(Outcome::Deadlock)
}

/// What is kept of a wait from one stretch to the next.
#[derive(Debug)]
pub(in crate::mapping) struct Kept {
    /// `None`: it could not even ask.
    waiter: Option<Waiter>,
    wish: Wish,
    /// How long it was to be, until when that is, and when the stretch ended.
    wait: Option<Duration>,
    end: Option<Instant>,
    since: Instant,
}

impl Kept {
    fn is_of(&self, asking: &Asking) -> bool {
        self.wish == asking.wish && self.wait == asking.wait && self.since.elapsed() < KEPT
    }
}

/// A place among those who wait, until it is dropped.
#[derive(Debug)]
struct Waiter {
    place: Place,
    turn: u64,
    signal: Arc<Signal>,
    /// It waited for something, and has it.
    got: bool,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.place.is_ours() {
            return;
        }
        let woken = table().leave(self.place.file, self.turn, self.got);
        woken.wake();
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::mapping::LockMode::{Exclusive, Shared};
    use crate::mapping::Mapping;
    use crate::mapping::lock::table::STALE;
    use crate::mapping::process::tests::in_fork;

    const ALL: Range = Range { offset: 0, length: 0 };

    fn map(dir: &tempfile::TempDir) -> Mapped {
        let options = Mapping::options().read(true).write(true).create(true);
        options.open(dir.path().join("f")).unwrap().into_mapped()
    }

    fn ask(mapped: &Mapped, owner: Owner, mode: LockMode) -> Asking {
        Asking::new(mapped, ALL, mode, None, Some(owner)).unwrap()
    }

    /// Asks once.
    fn tries(mapped: &mut Mapped, owner: Owner, mode: LockMode) -> bool {
        let zero = Some(Duration::ZERO);
        let mut asking = Asking::new(mapped, ALL, mode, zero, Some(owner)).unwrap();
        matches!(asking.step(mapped).unwrap(), Step::Over(Outcome::Locked))
    }

    /// Waits until something comes of it.
    fn outcome(mapped: &mut Mapped, mut asking: Asking) -> Outcome {
        loop {
            match asking.step(mapped).unwrap() {
                Step::Over(outcome) => return outcome,
                Step::Wait(until) => asking.wait_here(until),
            }
        }
    }

    /// Somebody has it, another one has waited for a stretch, and then nobody has it.
    fn away(dir: &tempfile::TempDir) -> (Instant, Mapped, Owner) {
        let (mut holder, mut waits, owner) = (map(dir), map(dir), Owner::new());
        assert!(tries(&mut holder, Owner::new(), Exclusive));
        let since = Instant::now();
        let asking = ask(&waits, owner, Exclusive);
        assert_eq!(outcome(&mut waits, asking), Outcome::Again);
        holder.unlock(ALL).unwrap();
        (since, waits, owner)
    }

    #[test]
    fn who_is_away_for_a_moment_keeps_its_place() {
        let dir = tempfile::tempdir().unwrap();
        for attempt in 0.. {
            let (since, mut waits, owner) = away(&dir);
            let (mut other, newcomer) = (map(&dir), Owner::new());
            let mut asking = ask(&other, newcomer, Shared);
            let steps = [0; 3].map(|_| asking.step(&mut other).unwrap());
            if since.elapsed() >= STALE {
                assert!(attempt < 100, "this machine never gets there in time");
                continue;
            }
            assert!(steps.iter().all(|step| matches!(step, Step::Wait(_))), "{steps:?}");
            // It has the first look, and its first look is enough.
            let mut again = ask(&waits, owner, Exclusive);
            let step = again.step(&mut waits).unwrap();
            assert!(matches!(step, Step::Over(Outcome::Locked)), "{step:?}");
            waits.unlock(ALL).unwrap();
            assert_eq!(outcome(&mut other, asking), Outcome::Locked);
            return;
        }
    }

    #[test]
    fn who_does_not_come_back_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let (_, mut waits, owner) = away(&dir);
        let (mut other, newcomer) = (map(&dir), Owner::new());
        let asking = ask(&other, newcomer, Exclusive);
        let mut got = outcome(&mut other, asking);
        while got == Outcome::Again {
            let asking = ask(&other, newcomer, Exclusive);
            got = outcome(&mut other, asking);
        }
        assert_eq!(got, Outcome::Locked);
        // And has its place again when it does.
        let late = ask(&waits, owner, Exclusive);
        assert_eq!(outcome(&mut waits, late), Outcome::Again);
    }

    #[test]
    fn a_forked_child_has_none_of_its_parents_places() {
        iommap_child::in_child(|| {
            let dir = tempfile::tempdir().unwrap();
            let (mut holder, mut own) = (map(&dir), map(&dir));
            assert!(tries(&mut holder, Owner::new(), Exclusive));
            let mut asking = ask(&own, Owner::new(), Exclusive);
            assert!(matches!(asking.step(&mut own).unwrap(), Step::Wait(_)));
            let before = asking.waiter.as_ref().unwrap().turn;
            in_fork(|| {
                // A place in the child's own table, which its parent's neighbours have no numbers of.
                let mut other = map(&dir);
                let mut first = ask(&other, Owner::new(), Exclusive);
                assert!(matches!(first.step(&mut other).unwrap(), Step::Wait(_)));
                let turn = first.waiter.as_ref().unwrap().turn;
                assert!(turn > before, "{turn} is not new");
                assert!(matches!(asking.step(&mut own).unwrap(), Step::Wait(_)));
                let waiter = asking.waiter.as_ref().unwrap();
                assert!(waiter.turn > turn, "it has its parent's turn");
            });
        })
        .assert_done();
    }

    #[test]
    fn a_place_is_given_up_with_the_wait_it_was_for() {
        type End = fn(Mapped, Owner, &mut Mapped);
        let ends: [(&str, End); 5] = [
            ("drop", |waits, _, _| drop(waits)),
            ("close", |mut waits, _, _| drop(waits.close().unwrap())),
            ("unlock", |mut waits, _, _| waits.unlock(Range { offset: 9, length: 1 }).unwrap()),
            ("another range", |mut waits, owner, _| {
                let zero = Some(Duration::ZERO);
                let one = Range { offset: 9, length: 1 };
                let mut asking = Asking::new(&waits, one, Shared, zero, Some(owner)).unwrap();
                asking.step(&mut waits).unwrap();
                waits.unlock(ALL).unwrap();
            }),
            ("another wait", |waits, owner, own| {
                // It does not wait for itself.
                let asking = ask(own, owner, Exclusive);
                assert_eq!(outcome(own, asking), Outcome::Locked);
                own.unlock(ALL).unwrap();
                // Whoever comes next finds the mapping that it waited by, and not its place.
                std::mem::forget(waits);
            }),
        ];
        for (name, end) in ends {
            let dir = tempfile::tempdir().unwrap();
            let (_, waits, owner) = away(&dir);
            let (mut other, mut own) = (map(&dir), map(&dir));
            end(waits, owner, &mut own);
            let mut asking = ask(&other, Owner::new(), Exclusive);
            let step = asking.step(&mut other).unwrap();
            assert!(matches!(step, Step::Over(Outcome::Locked)), "{name}: {step:?}");
        }
    }
}
