//! What is counted, for Prometheus.

use crate::failure::Reason;
use crate::usages::{Sampled, Usages};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

/// How the page of metrics is written, for its header.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Where each bucket of request times ends, in seconds.
const BUCKETS: [f64; 14] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What the server has done.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<ByCode, Counter>,
    failures: Family<ByReason, Counter>,
    durations: Histogram,
    connections: Gauge,
    /// Requests that hang past their time.
    pub(crate) hung: Gauge,
    /// What requests map.
    pub(crate) usages: Arc<Usages>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Reason,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let requests = Family::<ByCode, Counter>::default();
        let failures = Family::<ByReason, Counter>::default();
        let durations = Histogram::new(BUCKETS);
        let connections = Gauge::<i64>::default();
        let hung = Gauge::<i64>::default();
        let usages = Arc::<Usages>::default();
        // So that each is there to be watched before the first time.
        for reason in Reason::ALL {
            drop(failures.get_or_create_owned(&ByReason { reason }));
        }

        let mut registry = Registry::with_prefix("iommap");
        registry.register("http_requests", "Requests answered, by status code", requests.clone());
        registry.register(
            "guest_failures",
            "Requests that no guest answered to the end",
            failures.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From a request's head to its answer's",
            durations.clone(),
        );
        registry.register("http_connections", "Connections open now", connections.clone());
        registry.register(
            "instances_hung",
            "Guests that are past their time and can't be ended, as on a file that hangs",
            hung.clone(),
        );
        registry.register_collector(Box::new(Sampled(usages.clone())));
        Metrics { registry, requests, failures, durations, connections, hung, usages }
    }

    /// Counts a request that was answered, by whomever.
    pub(crate) fn answered(&self, code: u16, took: Duration) {
        self.requests.get_or_create(&ByCode { code }).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Counts a request that a guest did not answer, or not to the end.
    pub(crate) fn failed(&self, reason: Reason) {
        self.failures.get_or_create(&ByReason { reason }).inc();
    }

    /// Counts a connection for as long as the guard is kept.
    pub(crate) fn connection(&self) -> Connection {
        self.connections.inc();
        Connection(self.connections.clone())
    }

    /// All of it in the text format that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        _ = prometheus_text::encode(&mut page, &self.registry);
        page
    }
}

/// A connection that is open.
pub(crate) struct Connection(Gauge);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.answered(200, Duration::from_micros(50));
        metrics.answered(200, Duration::from_micros(51));
        metrics.answered(503, Duration::from_secs(9));
        metrics.failed(Reason::Trap);
        let connection = metrics.connection();
        let page = metrics.render();
        for line in [
            "iommap_http_request_duration_seconds_bucket{le=\"5e-05\"} 1",
            "iommap_http_request_duration_seconds_bucket{le=\"0.0001\"} 2",
            "iommap_http_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "iommap_http_request_duration_seconds_count 3",
            "iommap_http_requests_total{code=\"200\"} 2",
            "iommap_guest_failures_total{reason=\"trap\"} 1",
            "iommap_guest_failures_total{reason=\"busy\"} 0",
            "iommap_http_connections 1",
            "iommap_instances 0",
            "iommap_mappings_opened_total 0",
            "iommap_calls_refused_total{code=\"limit-exceeded\"} 0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("code=\"404\""));
        drop(connection);
        assert!(metrics.render().contains("iommap_http_connections 0"));
    }
}
