//! The last minutes, a second at a time: what the page draws.

use crate::metrics::Metrics;
use crate::usages::Sums;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, MissedTickBehavior};

const SECOND: Duration = Duration::from_secs(1);

/// How much of it is kept, in seconds.
const KEPT: usize = 300;

/// The longest time that is told from longer ones, in microseconds.
const LONGEST: u64 = 60_000_000;

/// What happened in each of the last seconds.
pub(crate) struct History {
    now: Mutex<Second>,
    past: Mutex<VecDeque<Value>>,
}

/// A second that has not ended yet.
struct Second {
    requests: u64,
    /// Those that were answered 500 or above.
    errors: u64,
    /// In microseconds.
    times: Histogram<u64>,
}

impl Second {
    fn new() -> Second {
        Second {
            requests: 0,
            errors: 0,
            times: Histogram::new_with_max(LONGEST, 2).expect("bounds that are fit"),
        }
    }
}

impl History {
    pub(crate) fn new() -> History {
        History { now: Mutex::new(Second::new()), past: Mutex::default() }
    }

    /// Notes a request that was answered.
    pub(crate) fn answered(&self, code: u16, took: Duration) {
        let mut now = lock(&self.now);
        now.requests += 1;
        now.errors += u64::from(code >= 500);
        now.times.saturating_record(took.as_micros() as u64);
    }

    /// Ends a second each second, for as long as the server runs.
    pub(crate) async fn go_on(&self, metrics: &Metrics) {
        let mut clock = tokio::time::interval_at(Instant::now() + SECOND, SECOND);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = metrics.usages.sums();
        loop {
            clock.tick().await;
            let sums = metrics.usages.sums();
            self.end_second(&before, &sums, metrics.hung.get());
            before = sums;
        }
    }

    fn end_second(&self, before: &Sums, sums: &Sums, hung: i64) {
        let second = mem::replace(&mut *lock(&self.now), Second::new());
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let within = |quantile| match second.requests {
            0 => Value::Null,
            _ => second.times.value_at_quantile(quantile).into(),
        };
        let sample = json!({
            "at": at.as_secs(),
            "requests": second.requests,
            "errors": second.errors,
            "p50": within(0.5),
            "p99": within(0.99),
            "instances": sums.running,
            "hung": hung,
            "mappings": sums.mappings,
            "opened": sums.opened - before.opened,
            "read_bytes": sums.bytes_read - before.bytes_read,
            "faults": sums.faults_recovered - before.faults_recovered,
        });
        let mut past = lock(&self.past);
        past.truncate(KEPT - 1);
        past.push_front(sample);
    }

    /// All that is kept, as JSON: the oldest second first, times in microseconds.
    pub(crate) fn render(&self) -> String {
        let samples: Vec<Value> = lock(&self.past).iter().rev().cloned().collect();
        json!({ "kept_seconds": KEPT, "samples": samples }).to_string()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_own_numbers() {
        let history = History::new();
        for micros in 1..=100 {
            history.answered(200, Duration::from_micros(micros));
        }
        history.answered(503, Duration::from_micros(50));
        let before = Sums { opened: 7, faults_recovered: 1, ..Sums::default() };
        let after = Sums { opened: 108, faults_recovered: 3, ..Sums::default() };
        history.end_second(&before, &after, 2);
        history.end_second(&after, &after, 0);
        let page: Value = serde_json::from_str(&history.render()).unwrap();
        let [busy, idle] = [&page["samples"][0], &page["samples"][1]];
        assert_eq!((&busy["requests"], &busy["errors"]), (&json!(101), &json!(1)));
        assert_eq!((&busy["p50"], &busy["p99"]), (&json!(50), &json!(99)));
        assert_eq!((&busy["opened"], &busy["faults"]), (&json!(101), &json!(2)));
        assert_eq!((&busy["hung"], &idle["requests"]), (&json!(2), &json!(0)));
        assert!(idle["p50"].is_null());
    }

    #[test]
    fn only_the_last_minutes_are_kept() {
        let history = History::new();
        for _ in 0..KEPT + 10 {
            history.end_second(&Sums::default(), &Sums::default(), 0);
        }
        assert_eq!(lock(&history.past).len(), KEPT);
    }
}
