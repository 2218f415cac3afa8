//! What came of the requests so far: what the answers were, and how long they took.

use crate::disturb::{Change, Moment};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// The longest time that is told from longer ones, in microseconds.
const LONGEST: u64 = 600_000_000;

/// What one answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The address, with its country.
    Found,
    /// The database has none.
    NotFound,
    /// The database can't be read.
    Error,
    /// None of these, or not what it must be.
    Wrong,
}

/// Counts. All clients run on one thread.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) found: Cell<u64>,
    pub(crate) not_found: Cell<u64>,
    /// Errors while the file was cut from the request's beginning to its end.
    pub(crate) cut: Cell<u64>,
    /// Errors of requests under which the file was changed.
    pub(crate) under_way: Cell<u64>,
    /// Requests under which the file was changed, and that were answered all the same.
    pub(crate) unharmed: Cell<u64>,
    pub(crate) wrong: Cell<u64>,
    first_wrong: RefCell<Option<String>>,
    /// In microseconds.
    times: RefCell<Histogram<u64>>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            found: Cell::default(),
            not_found: Cell::default(),
            cut: Cell::default(),
            under_way: Cell::default(),
            unharmed: Cell::default(),
            wrong: Cell::default(),
            first_wrong: RefCell::default(),
            times: RefCell::new(Histogram::new_with_max(LONGEST, 3).expect("bounds that are fit")),
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.found.get() + self.not_found.get() + self.disturbed() + self.wrong.get()
    }

    /// Errors because of what happened to the file.
    pub(crate) fn disturbed(&self) -> u64 {
        self.cut.get() + self.under_way.get()
    }

    /// The first answer that was wrong.
    pub(crate) fn first_wrong(&self) -> String {
        self.first_wrong.borrow().clone().unwrap_or_default()
    }

    pub(crate) fn times(&self) -> Times {
        let times = self.times.borrow();
        let within = |quantile| Duration::from_micros(times.value_at_quantile(quantile));
        Times {
            p50: within(0.5),
            p99: within(0.99),
            p999: within(0.999),
            max: Duration::from_micros(times.max()),
        }
    }

    /// Counts an answer, given what the file was before it was asked for and after.
    pub(crate) fn note(
        &self,
        kind: Kind,
        (before, after): (Change, Change),
        took: Duration,
        what: impl FnOnce() -> String,
    ) {
        self.times.borrow_mut().saturating_record(took.as_micros() as u64);
        let steady = before == after && before.moment != Moment::Changing;
        let count = match (kind, steady, before.moment) {
            (Kind::Found | Kind::NotFound, true, Moment::Cut) => &self.wrong,
            (Kind::Found, ..) => &self.found,
            (Kind::NotFound, ..) => &self.not_found,
            (Kind::Error, true, Moment::Cut) => &self.cut,
            (Kind::Error, false, _) => &self.under_way,
            (Kind::Error, true, _) | (Kind::Wrong, ..) => &self.wrong,
        };
        count.set(count.get() + 1);
        if std::ptr::eq(count, &self.wrong) {
            let told = || format!("{} (the file: {before:?}, then {after:?})", what());
            self.first_wrong.borrow_mut().get_or_insert_with(told);
        } else if !steady && kind != Kind::Error {
            self.unharmed.set(self.unharmed.get() + 1);
        }
    }
}

/// How long answers took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) max: Duration,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times { p50, p99, p999, max } = self;
        let [p50, p99, p999, max] = [p50, p99, p999, max].map(|time| time.as_secs_f64() * 1e3);
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, longest {max:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Change = Change { number: 1, moment: Moment::Whole(0) };
    const CUT: Change = Change { number: 2, moment: Moment::Cut };
    const CHANGING: Change = Change { number: 3, moment: Moment::Changing };

    #[test]
    fn an_answer_is_held_to_what_the_file_was() {
        let took = Duration::from_micros(1);
        for (kind, before, after, wrong) in [
            (Kind::Found, WHOLE, WHOLE, 0),
            (Kind::Found, WHOLE, CUT, 0),
            (Kind::Found, CUT, CUT, 1),
            (Kind::NotFound, CUT, CUT, 1),
            (Kind::Error, CUT, CUT, 0),
            (Kind::Error, WHOLE, CHANGING, 0),
            (Kind::Error, CHANGING, CHANGING, 0),
            (Kind::Error, WHOLE, WHOLE, 1),
            (Kind::Wrong, WHOLE, CHANGING, 1),
        ] {
            let tally = Tally::new();
            tally.note(kind, (before, after), took, || "this".to_owned());
            assert_eq!(tally.wrong.get(), wrong, "{kind:?} {before:?} {after:?}");
            assert_eq!(tally.done(), 1);
            assert_eq!(tally.first_wrong().starts_with("this"), wrong == 1);
        }
    }

    #[test]
    fn times_are_told_by_how_many_were_within() {
        let tally = Tally::new();
        for micros in 1..=1000 {
            let took = Duration::from_micros(micros);
            tally.note(Kind::Found, (WHOLE, WHOLE), took, String::new);
        }
        let text = tally.times().to_string();
        assert_eq!(text, "p50 0.50 ms, p99 0.99 ms, p99.9 1.00 ms, longest 1.00 ms");
    }
}
