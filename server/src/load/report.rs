//! What came of it, for people and for `docs/performance.md`: Markdown.

use crate::disturb::Disturbed;
use crate::tally::Tally;
use crate::watch::Sample;
use std::fmt;
use std::time::Duration;

/// How many more descriptors, map lines and KiB a server may have at rest in the end than in the
/// first half of the run: what an allocator takes in its own time. In a long run, a leak of one
/// in a thousand requests is more.
const MORE: (usize, usize, u64) = (2, 8, 8 << 10);

/// And how many more lines and KiB for each connection: when more requests run at once than before,
/// threads and instances are used that were not needed until then, and kept.
const MORE_EACH: (usize, u64) = (8, 256);

/// What came of it.
pub(crate) struct Report<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) connections: u32,
    pub(crate) took: Duration,
    pub(crate) disturbed: Disturbed,
    pub(crate) samples: Vec<Sample>,
    pub(crate) rest_before: Sample,
    pub(crate) rest_after: Sample,
    /// What the server has counted.
    pub(crate) metrics: Vec<(String, f64)>,
}

impl Report<'_> {
    /// Was every answer right, and is nothing left over?
    pub(crate) fn is_good(&self) -> bool {
        self.tally.wrong.get() == 0 && !self.is_leaking()
    }

    fn is_leaking(&self) -> bool {
        let (before, after) = (&self.rest_before, &self.rest_after);
        // The pool's slots are mapped when they are first needed, so the first half counts, too.
        let half = self.samples.iter().take(self.samples.len() / 2).chain([before]);
        let maps = half.clone().map(|sample| sample.maps).max().unwrap_or(0);
        let own = half.map(Sample::own).max().unwrap_or(0);
        after.descriptors > before.descriptors + MORE.0
            || after.maps > maps + MORE.1 + MORE_EACH.0 * self.connections as usize
            || after.own() > own + MORE.2 + MORE_EACH.1 * u64::from(self.connections)
    }

    fn metric(&self, name: &str) -> f64 {
        let found = self.metrics.iter().find(|(known, _)| known == name);
        found.map_or(f64::NAN, |(_, value)| *value)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { tally, took, disturbed, .. } = self;
        let rate = tally.done() as f64 / took.as_secs_f64();
        writeln!(
            f,
            "{} requests in {:.0} s, {rate:.0} a second with the client on the same processors, \
             while the database was {disturbed}: {}.\n",
            tally.done(),
            took.as_secs_f64(),
            tally.times(),
        )?;
        let rows = [
            ("answered with a country", tally.found.get()),
            ("answered that the database has none", tally.not_found.get()),
            ("answered 503 while the file was cut", tally.cut.get()),
            ("answered 503, the file changed under them", tally.under_way.get()),
            ("wrong answers", tally.wrong.get()),
        ];
        writeln!(f, "| requests | |\n|---|---:|")?;
        for (what, count) in rows {
            writeln!(f, "| {what} | {count} |")?;
        }
        writeln!(
            f,
            "\nThe file changed under {} more that were answered all the same. The server counts \
             {} opened mappings, {} open now, and {} faults recovered.\n",
            tally.unharmed.get(),
            self.metric("iommap_mappings_opened_total"),
            self.metric("iommap_mappings"),
            self.metric("iommap_faults_recovered_total"),
        )?;
        writeln!(
            f,
            "| requests | seconds | 503 | descriptors | map lines | threads | memory, own | \
             of files |\n|---:|---:|---:|---:|---:|---:|---:|---:|"
        )?;
        row(f, "at rest, before", &self.rest_before)?;
        for sample in &self.samples {
            row(f, &sample.done.to_string(), sample)?;
        }
        row(f, "at rest, after", &self.rest_after)?;
        if tally.wrong.get() > 0 {
            writeln!(f, "\nThe first wrong answer: {}", tally.first_wrong())?;
        }
        let verdict = match (tally.wrong.get(), self.is_leaking()) {
            (0, false) => "Every answer was right, and nothing is left over.",
            (0, true) => "Every answer was right, but the server keeps something.",
            _ => "Some answers were wrong.",
        };
        write!(f, "\n{verdict}")
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, sample: &Sample) -> fmt::Result {
    let mib = |kib: u64| kib as f64 / 1024.0;
    writeln!(
        f,
        "| {name} | {:.0} | {} | {} | {} | {} | {:.1} MiB | {:.1} MiB |",
        sample.at.as_secs_f64(),
        sample.disturbed,
        sample.descriptors,
        sample.maps,
        sample.threads,
        mib(sample.own()),
        mib(sample.resident_files),
    )
}
