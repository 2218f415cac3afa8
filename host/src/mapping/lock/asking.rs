//! Asking for a lock, step by step: who does it waits between the steps, as it can.

use super::ranges::{LockMode, Wish};
use super::signal::Signal;
use super::table::{Deadlock, table};
use super::{Kept, Owner, Place};
use crate::error::Error;
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
        let locks = mapped.locks()?;
        let place = locks.seat.0;
        let kept = locks.kept.take().filter(|kept| kept.is_of(self));
        if let Some(kept) = &kept {
            self.end = kept.end;
        }
        let tries = self.wait == Some(Duration::ZERO);
        let first = match &self.waiter {
            Some(waiter) => {
                waiter.signal.clear();
                !table().has_to_let_others(place.file, waiter.turn)
            }
            None => tries || (kept.is_none() && !table().has_queue(place.file, &self.wish)),
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
            return self.queue(place, kept.map(|kept| kept.turn), &usage);
        }
        let now = Instant::now();
        if self.end.is_some_and(|end| end <= now) {
            return Ok(Step::Over(Outcome::Busy));
        }
        if self.stretch.is_some_and(|stretch| stretch <= now) {
            let kept = |waiter: Waiter| Kept {
                wish: self.wish.clone(),
                turn: waiter.turn,
                wait: self.wait,
                end: self.end,
                since: now,
            };
            locks.kept = self.waiter.take().map(kept);
            return Ok(Step::Over(Outcome::Again));
        }
        let due = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
        let ends = [self.end, self.stretch].into_iter().flatten();
        Ok(Step::Wait(ends.fold(due, Instant::min)))
    }

    /// Waits from now on. The lock may have become free before anybody knew that, so that the next
    /// step is due at once.
    fn queue(
        &mut self,
        place: Place,
        kept: Option<u64>,
        usage: &Arc<Usage>,
    ) -> Result<Step, Error> {
        let mut table = table();
        let turn = kept.unwrap_or_else(|| table.number());
        let Place { file, mapping } = place;
        match table.queue(file, mapping, self.owner, &self.wish, turn) {
            Ok(signal) => {
                if kept.is_none() {
                    usage.count_lock_wait();
                }
                self.waiter = Some(Waiter { place, turn, signal, got: false });
                Ok(Step::Wait(Instant::now()))
            }
            Err(Deadlock) => {
                usage.count_lock_deadlock();
                Ok(Step::Over(Outcome::Deadlock))
            }
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
        if let Some(waiter) = &self.waiter {
            poll_fn(|context| waiter.signal.poll(until, context)).await;
        }
    }
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
        let woken = table().leave(self.place.file, self.turn, self.got);
        woken.wake();
    }
}
