//! Waiting for a change, step by step: who does it looks, and waits between the looks as it can.

use super::state::FileState;
use super::watch::Watch;
use crate::error::Error;
use crate::mapping::lock::Signal;
use crate::mapping::mapped::Mapped;
use crate::usage::{Reservation, Resource};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a guest waits at one stretch: so long it can't be ended.
const STRETCH: Duration = Duration::from_millis(50);

/// How long it is until the next look, at first and at last. The system doesn't tell of all changes:
/// not of those on other machines, nor of another directory on the path.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    Is(FileState),
    /// The time is over.
    Not,
    /// The stretch is over, and the time is not: so much is left of it.
    Again(Option<Duration>),
}

/// What came of a look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Over(Changed),
    /// The next look is due then, or when it is woken.
    Wait(Instant),
}

/// Somebody waits.
#[derive(Debug)]
pub(crate) struct WaitForChange {
    known: FileState,
    /// When the time is over. `None`: never.
    end: Option<Instant>,
    /// When the stretch is over. `None`: never.
    stretch: Option<Instant>,
    pause: Duration,
    place: Option<Place>,
}

/// One among those who wait, until it is dropped.
#[derive(Debug)]
struct Place {
    signal: Arc<Signal>,
    /// Is it told by the system?
    watch: Option<Watch>,
    _one: Reservation,
}

impl WaitForChange {
    /// For a guest, who waits for a stretch only; or for somebody else, for all of the time.
    pub(crate) fn new(known: FileState, wait: Option<Duration>, guest: bool) -> WaitForChange {
        let now = Instant::now();
        WaitForChange {
            known,
            end: wait.and_then(|wait| now.checked_add(wait)),
            stretch: guest.then(|| now + STRETCH),
            pause: PAUSES.0,
            place: None,
        }
    }

    /// After a look.
    pub(crate) fn step(&mut self, mapped: &Mapped, state: FileState) -> Result<Next, Error> {
        if state != self.known {
            return Ok(Next::Over(Changed::Is(state)));
        }
        let now = Instant::now();
        if self.end.is_some_and(|end| end <= now) {
            return Ok(Next::Over(Changed::Not));
        }
        if self.stretch.is_some_and(|stretch| stretch <= now) {
            let left = self.end.map(|end| end.saturating_duration_since(now));
            return Ok(Next::Over(Changed::Again(left)));
        }
        let Some(place) = &self.place else {
            let one = Reservation::new(mapped.usage(), Resource::Watches, 1)?;
            mapped.usage().note_peaks();
            let signal = Arc::new(Signal::default());
            let watch = Watch::new(mapped.opened()?.known_file()?, &signal);
            self.place = Some(Place { signal, watch, _one: one });
            // What has changed before the watch was there it does not tell of.
            return Ok(Next::Wait(now));
        };
        if place.watch.is_some() {
            self.pause = PAUSES.1;
        }
        let due = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
        let ends = [self.end, self.stretch].into_iter().flatten();
        Ok(Next::Wait(ends.fold(due, Instant::min)))
    }

    /// Has this thread wait for the next look.
    pub(crate) fn wait_here(&self, until: Instant) {
        if let Some(Place { signal, .. }) = &self.place {
            signal.wait(until);
            signal.clear();
        }
    }

    /// Has a task wait for it.
    pub(crate) async fn wait(&self, until: Instant) {
        if let Some(Place { signal, .. }) = &self.place {
            poll_fn(|context| signal.poll(until, context)).await;
            signal.clear();
        }
    }
}
