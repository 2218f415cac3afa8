//! What is counted, and how Prometheus reads it.

use iommap::{Account, Counters};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where each bucket of request times ends.
const BUCKETS: [Duration; 14] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Status codes are counted from 100 to 599.
const CODES: std::ops::Range<usize> = 100..600;

/// What the server has done.
#[derive(Debug)]
pub(crate) struct Metrics {
    by_code: Box<[AtomicU64]>,
    failures: [AtomicU64; FAILURES.len()],
    /// How many requests took as long as each bucket, and in the last place: longer.
    durations: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
    connections: AtomicU64,
    books: Mutex<Books>,
}

/// Why the server answered in a guest's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Too many were waiting, or it waited too long.
    Busy,
    /// It took too long.
    Time,
    /// The guest trapped, out of memory included.
    Trap,
    /// The guest returned and gave no answer.
    Silent,
    /// The guest said that it has none.
    Refused,
    /// No instance could be set up.
    Setup,
}

/// The reasons, by the names that metrics and logs give them.
const FAILURES: [&str; 6] = ["busy", "time", "trap", "silent", "refused", "setup"];

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        FAILURES[self as usize]
    }
}

/// The accounts of requests that run, and the sum of all that have ended. Under one lock, so that
/// no total ever seems to go back.
#[derive(Debug, Default)]
struct Books {
    next: u64,
    open: HashMap<u64, Arc<Account>>,
    closed: Counters,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            by_code: CODES.map(|_| AtomicU64::new(0)).collect(),
            failures: Default::default(),
            durations: Default::default(),
            microseconds: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            books: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts a request that was answered, by whomever.
    pub(crate) fn answered(&self, code: u16, took: Duration) {
        if let Some(count) = (code as usize).checked_sub(CODES.start) {
            self.by_code.get(count).map(|count| count.fetch_add(1, Relaxed));
        }
        let bucket = BUCKETS.partition_point(|end| *end < took);
        self.durations[bucket].fetch_add(1, Relaxed);
        self.microseconds.fetch_add(took.as_micros() as u64, Relaxed);
    }

    /// Counts a request that a guest did not answer, or not to the end.
    pub(crate) fn failed(&self, reason: Reason) {
        self.failures[reason as usize].fetch_add(1, Relaxed);
    }

    /// Counts a connection for as long as the guard is kept.
    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        self.connections.fetch_add(1, Relaxed);
        Connection(self.clone())
    }

    /// Counts what a request maps, for as long as the guard is kept and in the totals after it.
    pub(crate) fn enter(self: &Arc<Self>, account: &Arc<Account>) -> Entry {
        let mut books = self.books();
        let id = books.next;
        books.next += 1;
        books.open.insert(id, account.clone());
        Entry { metrics: self.clone(), id }
    }

    /// How many requests run, and what all that ran have mapped.
    pub(crate) fn mapped(&self) -> (usize, Counters) {
        let books = self.books();
        let sum = books.open.values().fold(books.closed, |sum, account| {
            let now = account.counters();
            let mut sum = add_totals(sum, &now);
            sum.mappings += now.mappings;
            sum.mapped_bytes += now.mapped_bytes;
            sum.locked_bytes += now.locked_bytes;
            sum
        });
        (books.open.len(), sum)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it in the text format that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        let mut page = Page(String::with_capacity(4096));
        page.name("http_requests_total", "counter", "Requests answered, by status code.");
        for (code, count) in CODES.zip(&self.by_code) {
            let count = count.load(Relaxed);
            if count > 0 {
                page.sample(&format!("http_requests_total{{code=\"{code}\"}}"), count);
            }
        }
        page.name("guest_failures_total", "counter", "Requests that no guest answered to the end.");
        for (reason, count) in FAILURES.iter().zip(&self.failures) {
            let name = format!("guest_failures_total{{reason=\"{reason}\"}}");
            page.sample(&name, count.load(Relaxed));
        }
        self.render_durations(&mut page);

        let (running, mapped) = self.mapped();
        let rows = [
            ("instances", "gauge", "Guests that run now.", running as u64),
            ("http_connections", "gauge", "Connections open now.", self.connections.load(Relaxed)),
            ("mappings", "gauge", "Mappings open now.", mapped.mappings),
            ("mapped_bytes", "gauge", "Bytes mapped now.", mapped.mapped_bytes),
            ("locked_bytes", "gauge", "Bytes locked in memory now.", mapped.locked_bytes),
            ("mappings_opened_total", "counter", "Mappings opened.", mapped.opened),
            ("read_bytes_total", "counter", "Bytes read through mappings.", mapped.bytes_read),
            (
                "written_bytes_total",
                "counter",
                "Bytes written through mappings.",
                mapped.bytes_written,
            ),
            (
                "faults_recovered_total",
                "counter",
                "Reads and writes that met a page without a file behind it, and lived.",
                mapped.faults_recovered,
            ),
        ];
        for (name, kind, help, value) in rows {
            page.name(name, kind, help);
            page.sample(name, value);
        }
        page.0
    }

    fn render_durations(&self, page: &mut Page) {
        let name = "http_request_duration_seconds";
        page.name(name, "histogram", "From a request's head to its answer's.");
        let mut below = 0;
        for (end, count) in BUCKETS.iter().zip(&self.durations) {
            below += count.load(Relaxed);
            page.sample(&format!("{name}_bucket{{le=\"{}\"}}", end.as_secs_f64()), below);
        }
        below += self.durations[BUCKETS.len()].load(Relaxed);
        page.sample(&format!("{name}_bucket{{le=\"+Inf\"}}"), below);
        let seconds = Duration::from_micros(self.microseconds.load(Relaxed)).as_secs_f64();
        page.sample(&format!("{name}_sum"), seconds);
        page.sample(&format!("{name}_count"), below);
    }
}

/// Adds what only ever grows.
fn add_totals(mut sum: Counters, more: &Counters) -> Counters {
    sum.opened += more.opened;
    sum.bytes_read += more.bytes_read;
    sum.bytes_written += more.bytes_written;
    sum.faults_recovered += more.faults_recovered;
    sum
}

/// A page of metrics. Every name begins with the project's.
struct Page(String);

impl Page {
    fn name(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        _ = writeln!(self.0, "# HELP iommap_{name} {help}\n# TYPE iommap_{name} {kind}");
    }

    fn sample(&mut self, name: &str, value: impl std::fmt::Display) {
        _ = writeln!(self.0, "iommap_{name} {value}");
    }
}

/// A request that runs, in the books.
#[derive(Debug)]
pub(crate) struct Entry {
    metrics: Arc<Metrics>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut books = self.metrics.books();
        if let Some(account) = books.open.remove(&self.id) {
            books.closed = add_totals(books.closed, &account.counters());
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Connection(Arc<Metrics>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iommap::{IommapCtx, Limits};

    fn value(page: &str, name: &str) -> f64 {
        let line = page
            .lines()
            .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(name)
    }

    #[test]
    fn given_answers_when_rendered_then_each_is_in_its_bucket_and_all_above() {
        let metrics = Metrics::default();
        metrics.answered(200, Duration::from_micros(50));
        metrics.answered(200, Duration::from_micros(51));
        metrics.answered(503, Duration::from_secs(9));
        metrics.answered(7, Duration::ZERO);
        metrics.failed(Reason::Trap);
        let page = metrics.render();
        let bucket = |le: &str| {
            value(&page, &format!("iommap_http_request_duration_seconds_bucket{{le=\"{le}\"}}"))
        };
        assert_eq!(
            [bucket("0.00005"), bucket("0.0001"), bucket("5"), bucket("+Inf")],
            [2.0, 3.0, 3.0, 4.0]
        );
        assert_eq!(value(&page, "iommap_http_request_duration_seconds_count"), 4.0);
        assert_eq!(value(&page, "iommap_http_requests_total{code=\"200\"}"), 2.0);
        assert_eq!(value(&page, "iommap_guest_failures_total{reason=\"trap\"}"), 1.0);
        assert!(!page.contains("code=\"404\""));
    }

    #[test]
    fn given_an_entry_when_it_is_dropped_then_its_totals_stay_and_nothing_is_in_use() {
        let dir =
            std::env::temp_dir().join(format!("iommap-server-metrics-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), [7; 100]).unwrap();
        let metrics = Arc::new(Metrics::default());
        let mut grants = iommap::Grants::default();
        grants.preopened_dir(&dir, "/", iommap::FsPerms::ReadOnly).unwrap();
        let account = Account::new(Limits::default());
        let entry = metrics.enter(&account);
        let other = metrics.enter(IommapCtx::builder().build().account());
        let options = iommap::OpenOptions::new(iommap::AccessMode::Read);
        let mapping = iommap::Mapping::open(&grants, &account, "/file", &options).unwrap();
        assert_eq!(metrics.mapped().0, 2);
        assert_eq!((metrics.mapped().1.mappings, metrics.mapped().1.opened), (1, 1));
        drop((mapping, entry, other));
        let (running, mapped) = metrics.mapped();
        assert_eq!((running, mapped.mappings, mapped.opened), (0, 0, 1));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
