//! Places for requests: so many run at once, some more wait for their turn, and the next is turned
//! away.
//!
//! A guest that computes is interrupted when its time is over. One that waits for a file system
//! that doesn't answer can't be: its thread is the kernel's until the file answers. Such a request
//! gives its place up and takes a spare one, so that a file that hangs costs the requests on it and
//! no others. There are only so many spare places; when all are taken, requests that hang keep
//! theirs.

use crate::args::Args;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    all: u32,
    waiting: AtomicU32,
    max_waiting: u32,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Taken>>,
    hung: Gauge,
}

/// A place that is taken.
struct Taken {
    /// When its request hangs if it is there still.
    until: Instant,
    /// From `spare` if it hangs.
    permit: OwnedSemaphorePermit,
    hangs: bool,
}

/// A request's place, for as long as this is kept.
pub(crate) struct Place {
    places: Arc<Places>,
    id: u64,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many requests wait already.
    Queue,
    /// A request waited, and its time was over.
    Time,
}

impl Places {
    /// `hung` is kept at the number of requests that hang.
    pub(crate) fn new(args: &Args, hung: Gauge) -> Arc<Places> {
        Arc::new(Places {
            free: Arc::new(Semaphore::new(args.max_instances.get() as usize)),
            spare: Arc::new(Semaphore::new(args.max_hung as usize)),
            all: args.max_instances.get(),
            waiting: AtomicU32::new(0),
            max_waiting: args.max_waiting,
            next: AtomicU64::new(0),
            taken: Mutex::default(),
            hung,
        })
    }

    /// Waits for a place until `deadline`. A request that has it after `until` hangs.
    pub(crate) async fn take(
        self: &Arc<Self>,
        deadline: Instant,
        until: Instant,
    ) -> Result<Place, Full> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting::join(&self.waiting, self.max_waiting).ok_or(Full::Queue)?;
                let permit = self.free.clone().acquire_owned();
                let permit = tokio::time::timeout_at(deadline.into(), permit).await;
                permit.ok().and_then(Result::ok).ok_or(Full::Time)?
            }
        };
        let id = self.next.fetch_add(1, Relaxed);
        self.taken().insert(id, Taken { until, permit, hangs: false });
        Ok(Place { places: self.clone(), id })
    }

    /// Has requests that hang give up their places.
    pub(crate) fn free_those_that_hang(&self) {
        let now = Instant::now();
        for taken in self.taken().values_mut() {
            if taken.hangs || now < taken.until {
                continue;
            }
            let Ok(spare) = self.spare.clone().try_acquire_owned() else { return };
            taken.permit = spare;
            taken.hangs = true;
            self.hung.inc();
        }
    }

    /// Waits until no request runs any more, but for those that hang.
    pub(crate) async fn all_left(&self) {
        // It is never closed, so this does not fail.
        _ = self.free.acquire_many(self.all).await;
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = self.places.taken().remove(&self.id);
        if taken.is_some_and(|taken| taken.hangs) {
            self.places.hung.dec();
        }
    }
}

/// One that waits, of a limited number.
struct Waiting<'a>(&'a AtomicU32);

impl Waiting<'_> {
    fn join(waiting: &AtomicU32, max: u32) -> Option<Waiting<'_>> {
        let one_more = |now: u32| (now < max).then_some(now + 1);
        waiting.try_update(Relaxed, Relaxed, one_more).ok().map(|_| Waiting(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::time::Duration;

    fn places(options: &[&str]) -> Arc<Places> {
        let args = ["iommap-server"].iter().chain(options).chain(&["x.wasm"]);
        Places::new(&Args::parse_from(args), Gauge::default())
    }

    /// Takes a place if there is one.
    async fn take(places: &Arc<Places>, until: Instant) -> Result<Place, Full> {
        places.take(Instant::now(), until).await
    }

    #[tokio::test]
    async fn a_full_line_turns_others_away() {
        let places = places(&["--max-instances=1", "--max-waiting=0"]);
        let later = Instant::now() + Duration::from_secs(1000);
        let first = take(&places, later).await;
        assert!(first.is_ok());
        assert_eq!(take(&places, later).await.err(), Some(Full::Queue));
        drop(first);
        assert!(take(&places, later).await.is_ok());
    }

    #[tokio::test]
    async fn waiting_ends_with_the_deadline_or_with_a_place() {
        let places = places(&["--max-instances=1", "--max-waiting=1"]);
        let later = Instant::now() + Duration::from_secs(1000);
        let first = take(&places, later).await;
        assert_eq!(take(&places, later).await.err(), Some(Full::Time));
        let second = tokio::spawn({
            let places = places.clone();
            async move { places.take(later, later).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert!(second.await.unwrap());
        assert_eq!(places.waiting.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn a_request_that_hangs_gives_its_place_up_while_there_are_spare_ones() {
        let places = places(&["--max-instances=1", "--max-hung=1", "--max-waiting=0"]);
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1000));
        let first = take(&places, now).await;
        places.free_those_that_hang();
        assert_eq!(places.hung.get(), 1);
        let second = take(&places, now).await;
        assert!(second.is_ok());
        places.free_those_that_hang();
        assert_eq!(take(&places, later).await.err(), Some(Full::Queue), "no more spare places");
        drop(first);
        places.free_those_that_hang();
        let third = take(&places, later).await;
        assert!(third.is_ok(), "the spare place was free again");
        drop((second, third));
        assert_eq!(places.hung.get(), 0);
        places.all_left().await;
    }
}
