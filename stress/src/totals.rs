//! What came of a run, and whether it adds up.

use crate::seen;
use iommap::Counters;

/// The cases of `error-code`, in their order.
pub(crate) const ERRORS: [&str; 16] = [
    "badarg",
    "enomem",
    "enoent",
    "eacces",
    "closed",
    "out-of-bounds",
    "sigbus",
    "eexist",
    "enotreg",
    "enospc",
    "efbig",
    "emfile",
    "limit-exceeded",
    "enotsup",
    "eio",
    "other",
];

/// Errors that this run brings about (`eacces` by cutting through a private mapping); all others
/// are findings.
const EXPECTED: [&str; 3] = ["eacces", "out-of-bounds", "sigbus"];

/// What stores came to, one or many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) stores: u64,
    pub(crate) calls: u64,
    pub(crate) verified: u64,
    pub(crate) wrong: u64,
    pub(crate) first_wrong: Option<String>,
    pub(crate) errors: [u64; 16],
    pub(crate) out_of_bounds_traps: u64,
    pub(crate) interrupted: u64,
    /// Calls whose futures were dropped before they were ready.
    pub(crate) dropped: u64,
    /// Bytes that another process appended, each of which was there.
    pub(crate) appended: u64,
    /// Bytes by which stores made a file longer in between.
    pub(crate) grown: u64,
    /// Ends of guests that nobody asked for.
    pub(crate) failures: Vec<String>,
    /// Faults as all stores counted them, and of those whose guest came to its end.
    pub(crate) faults: u64,
    pub(crate) faults_reported: u64,
    /// Faults of private mappings whose file was cut while they were opened, and those of them that no
    /// `sync` told of.
    pub(crate) at_open: u64,
    pub(crate) at_open_untold: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    /// Mappings, bytes of them and locked bytes that were still reserved when a store was gone.
    pub(crate) unreturned: u64,
    /// What guests saw in windows.
    pub(crate) windows: seen::Seen,
}

impl Totals {
    /// Counts what a store's usage says once the store is gone.
    pub(crate) fn store(&mut self, used: Counters, reported: bool) {
        self.stores += 1;
        self.faults += used.faults_recovered;
        if reported {
            self.faults_reported += used.faults_recovered;
        }
        self.bytes_read += used.bytes_read;
        self.bytes_written += used.bytes_written;
        self.unreturned += used.mappings + used.mapped_bytes + used.locked_bytes;
    }

    pub(crate) fn add(&mut self, other: Totals) {
        self.stores += other.stores;
        self.calls += other.calls;
        self.verified += other.verified;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        for (sum, count) in self.errors.iter_mut().zip(other.errors) {
            *sum += count;
        }
        self.out_of_bounds_traps += other.out_of_bounds_traps;
        self.interrupted += other.interrupted;
        self.dropped += other.dropped;
        self.failures.extend(other.failures);
        self.faults += other.faults;
        self.faults_reported += other.faults_reported;
        self.at_open += other.at_open;
        self.at_open_untold += other.at_open_untold;
        self.bytes_read += other.bytes_read;
        self.bytes_written += other.bytes_written;
        self.unreturned += other.unreturned;
        self.windows.add(&other.windows);
    }
}

/// What the process as a whole came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    pub(crate) raised: u64,
    pub(crate) recovered: u64,
    pub(crate) descriptors: u64,
    pub(crate) mappings: u64,
    pub(crate) windows: seen::Process,
}

/// Prints the table; tells whether all is well.
pub(crate) fn report(totals: &Totals, process: &Process, seconds: f64) -> bool {
    let row = |name: &str, value: u64| println!("{name:34} {value:>15}");
    println!("{:34} {seconds:>15.1}", "seconds");
    row("stores", totals.stores);
    row("calls by guests", totals.calls);
    row("bytes read", totals.bytes_read);
    row("bytes written", totals.bytes_written);
    row("bytes verified in guests", totals.verified);
    row("wrong bytes", totals.wrong);
    row("faults raised by the kernel", process.raised);
    row("faults recovered by the guard", process.recovered);
    row("faults as the stores counted them", totals.faults);
    row("faults that sync told of", totals.at_open - totals.at_open_untold);
    for (name, count) in ERRORS.iter().zip(totals.errors).filter(|(_, count)| *count > 0) {
        row(&format!("error {name}"), count);
    }
    row("wasm traps: out of bounds", totals.out_of_bounds_traps);
    row("wasm traps: interrupted", totals.interrupted);
    row("calls dropped in their middle", totals.dropped);
    row("bytes appended, all there", totals.appended);
    row("zeros grown between them", totals.grown);
    row("quota not returned", totals.unreturned);
    row("descriptors left", process.descriptors);
    row("mappings left", process.mappings);
    seen::rows(&totals.windows, &process.windows, row);

    let mut findings = findings(totals, process);
    findings.extend(seen::findings(&totals.windows, &process.windows));
    for finding in &findings {
        println!("FOUND: {finding}");
    }
    findings.is_empty()
}

fn findings(totals: &Totals, process: &Process) -> Vec<String> {
    let mut found = totals.failures.clone();
    let mut unless = |good: bool, what: String| {
        if !good {
            found.push(what);
        }
    };
    if let Some(wrong) = &totals.first_wrong {
        unless(false, format!("{} wrong bytes: {wrong}", totals.wrong));
    }
    unless(totals.verified > 0, "nothing was verified".into());
    unless(process.raised > 0, "no fault was raised".into());
    unless(totals.dropped > 0, "no call was dropped in its middle".into());
    unless(totals.appended > 0, "nothing was appended".into());
    unless(totals.grown > 0, "no file grew while bytes were appended".into());
    let (raised, recovered) = (process.raised, process.recovered);
    unless(
        // A copy that met a lost page copies what is in front of it, and may meet another.
        raised >= recovered + process.windows.covered && recovered == totals.faults,
        format!("{raised} faults raised, {recovered} recovered, {} accounted for", totals.faults),
    );
    // A file that is cut while it is mapped privately is a fault that the guest is told by `sync`.
    let (told, by_sync, due) = (totals.errors[6], totals.at_open, totals.faults_reported);
    unless(
        told + by_sync == due,
        format!("{told} sigbus errors and {by_sync} by sync in guests that met {due} faults"),
    );
    let untold = totals.at_open_untold;
    unless(untold == 0, format!("{untold} faults at open that sync did not tell of"));
    for (name, count) in ERRORS.iter().zip(totals.errors) {
        let fine = count == 0 || EXPECTED.contains(name);
        unless(fine, format!("{count} times {name}, which nothing here causes"));
    }
    unless(totals.unreturned == 0, format!("{} of quota not returned", totals.unreturned));
    let left = (process.descriptors, process.mappings);
    unless(left == (0, 0), format!("descriptors and mappings left: {left:?}"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> (Totals, Process) {
        let mut errors = [0; 16];
        errors[6] = 3;
        let totals = Totals {
            verified: 1,
            faults: 5,
            faults_reported: 4,
            at_open: 1,
            errors,
            dropped: 1,
            appended: 1,
            grown: 1,
            ..Totals::default()
        };
        (totals, Process { raised: 5, recovered: 5, ..Process::default() })
    }

    #[test]
    fn given_a_run_that_adds_up_when_judged_then_nothing_is_found() {
        let (totals, process) = good();
        assert_eq!(findings(&totals, &process), Vec::<String>::new());
    }

    #[test]
    fn given_anything_that_does_not_add_up_when_judged_then_it_is_found() {
        let change: [fn(&mut Totals, &mut Process); 10] = [
            |totals, _| totals.faults_reported += 1,
            |totals, _| totals.at_open_untold = 1,
            |totals, _| totals.first_wrong = Some("here".into()),
            |totals, _| totals.faults -= 1,
            |totals, _| totals.errors[6] += 1,
            |totals, _| totals.errors[14] = 1,
            |totals, _| totals.unreturned = 1,
            |totals, _| totals.failures.push("a trap".into()),
            |_, process| process.raised -= 1,
            |_, process| process.mappings = 1,
        ];
        for (n, change) in change.iter().enumerate() {
            let (mut totals, mut process) = good();
            change(&mut totals, &mut process);
            assert_eq!(findings(&totals, &process).len(), 1, "{n}");
        }
    }
}
