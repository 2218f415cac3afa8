//! What requests map: the sum of those that run and, of what only grows, of all that ended.

use iommap::{ErrorKind, Usage};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The usages of all requests.
#[derive(Debug, Default)]
pub(crate) struct Usages(Mutex<All>);

/// Under one lock, so that no total ever seems to go back.
#[derive(Debug, Default)]
struct All {
    next: u64,
    running: HashMap<u64, Arc<Usage>>,
    ended: Sums,
}

/// What was found at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Requests that run.
    pub(crate) running: u64,
    /// What they have mapped now.
    pub(crate) mappings: u64,
    pub(crate) mapped_bytes: u64,
    pub(crate) locked_bytes: u64,
    /// What was done since the server started.
    pub(crate) opened: u64,
    pub(crate) reads: u64,
    pub(crate) bytes_read: u64,
    pub(crate) writes: u64,
    pub(crate) bytes_written: u64,
    pub(crate) faults_recovered: u64,
    /// Calls that were refused, for each kind of error.
    pub(crate) refused: [u64; ErrorKind::ALL.len()],
}

impl Usages {
    /// Counts what a request maps, for as long as the entry is kept and in the totals after it.
    pub(crate) fn enter(self: &Arc<Self>, usage: &Arc<Usage>) -> Entry {
        let mut all = self.all();
        let id = all.next;
        all.next += 1;
        all.running.insert(id, usage.clone());
        Entry { usages: self.clone(), id }
    }

    pub(crate) fn sums(&self) -> Sums {
        let all = self.all();
        let mut sums = all.ended;
        for usage in all.running.values() {
            sums.add_totals(usage);
            let now = usage.counters();
            sums.running += 1;
            sums.mappings += now.mappings;
            sums.mapped_bytes += now.mapped_bytes;
            sums.locked_bytes += now.locked_bytes;
        }
        sums
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    /// Adds what only grows.
    fn add_totals(&mut self, usage: &Usage) {
        let more = usage.counters();
        self.opened += more.opened;
        self.reads += more.reads;
        self.bytes_read += more.bytes_read;
        self.writes += more.writes;
        self.bytes_written += more.bytes_written;
        self.faults_recovered += more.faults_recovered;
        for (sum, kind) in self.refused.iter_mut().zip(ErrorKind::ALL) {
            *sum += usage.refused(*kind);
        }
    }
}

/// A request that runs.
#[derive(Debug)]
pub(crate) struct Entry {
    usages: Arc<Usages>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut all = self.usages.all();
        if let Some(usage) = all.running.remove(&self.id) {
            all.ended.add_totals(&usage);
        }
    }
}

/// The sums, read whenever Prometheus asks.
#[derive(Debug)]
pub(crate) struct Sampled(pub(crate) Arc<Usages>);

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sums = self.0.sums();
        for (name, help, value) in [
            ("instances", "Guests that run now.", sums.running),
            ("mappings", "Mappings open now.", sums.mappings),
            ("mapped_bytes", "Bytes mapped now.", sums.mapped_bytes),
            ("locked_bytes", "Bytes locked in memory now.", sums.locked_bytes),
        ] {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        for (name, help, value) in [
            ("mappings_opened", "Mappings opened.", sums.opened),
            ("reads", "Calls that read through mappings.", sums.reads),
            ("read_bytes", "Bytes read through mappings.", sums.bytes_read),
            ("writes", "Calls that wrote through mappings.", sums.writes),
            ("written_bytes", "Bytes written through mappings.", sums.bytes_written),
            (
                "faults_recovered",
                "Reads and writes that met a page without a file behind it, and lived.",
                sums.faults_recovered,
            ),
        ] {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let help = "Calls of guests that were refused, by what the guest was told.";
        let mut metric =
            encoder.encode_descriptor("calls_refused", help, None, MetricType::Counter)?;
        for (count, kind) in sums.refused.into_iter().zip(ErrorKind::ALL) {
            let labels = [("code", kind.name())];
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iommap::{FsPerms, Grants, Limits, OpenOptions};

    #[test]
    fn what_a_request_did_stays_in_the_totals_when_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), [7; 100]).unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(dir.path(), "/", FsPerms::ReadOnly).unwrap();
        let usages = Arc::new(Usages::default());
        let [usage, other] = [(); 2].map(|()| Usage::new(Limits::default()));
        let entries = [usages.enter(&usage), usages.enter(&other)];
        let mapping = grants.open(&usage, "/file", &OpenOptions::new().read(true)).unwrap();
        let now = usages.sums();
        assert_eq!((now.running, now.mappings, now.opened), (2, 1, 1));
        drop((mapping, entries));
        assert_eq!(usages.sums(), Sums { opened: 1, ..Sums::default() });
    }
}
