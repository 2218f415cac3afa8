//! What one store may use, what it uses now, and what it has done.
//!
//! [`Limits`] is the embedder's say; [`Usage`] holds the store to it, and to the [`Budget`] that
//! stores share. Whatever is used is held by a [`Reservation`], which returns it when dropped: no
//! path can forget to.

mod budget;
mod counters;
mod limits;
pub(crate) mod local;
mod machine;
mod pool;
mod refusal;
mod reservation;

pub use budget::{Budget, BudgetLimits};
pub use counters::Counters;
pub use limits::Limits;
pub(crate) use pool::Resource;
pub use refusal::Refusal;
pub(crate) use reservation::Reservation;

use crate::error::{Error, ErrorKind};
use pool::Pool;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The number in the name of the next usage that is not given one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Holds one store to its [`Limits`] and counts what it does. Shared by its mappings.
///
/// ```
/// use iommap::{Limits, Usage};
/// let mut limits = Limits::default();
/// limits.mappings = 4;
/// let usage = Usage::named(limits, "plugin");
/// assert_eq!((usage.name(), usage.limits().mappings), ("plugin", 4));
/// assert_eq!(usage.counters().opened, 0);
/// ```
#[derive(Debug)]
pub struct Usage {
    name: String,
    limits: Limits,
    pool: Pool,
    budget: Arc<Budget>,
    opened: AtomicU64,
    read: Moved,
    written: Moved,
    faults_recovered: AtomicU64,
    window_faults: AtomicU64,
    locks_taken: AtomicU64,
    lock_waits: AtomicU64,
    lock_deadlocks: AtomicU64,
    word_waits: AtomicU64,
    refused: [AtomicU64; ErrorKind::ALL.len()],
    first_refusal: OnceLock<Box<Refusal>>,
    /// What the store's [`LocalCounter`] counts beside `read` and `written`.
    local_read: Moved,
    local_written: Moved,
}

/// How many calls moved how many bytes.
#[derive(Debug, Default)]
struct Moved {
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl Moved {
    fn add(&self, bytes: u64) {
        self.calls.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }
}

impl Usage {
    /// Nothing used yet, for a store that is called `store-` and a number of its own.
    pub fn new(limits: Limits) -> Arc<Usage> {
        Usage::named(limits, Usage::next_name())
    }

    pub(crate) fn next_name() -> String {
        format!("store-{}", NEXT.fetch_add(1, Relaxed))
    }

    /// Nothing used yet, for a store of this name.
    pub fn named(limits: Limits, name: impl Into<String>) -> Arc<Usage> {
        Usage::within(limits, name, Budget::of_process())
    }

    /// Nothing used yet, for a store of this name that shares a budget with others.
    pub fn within(limits: Limits, name: impl Into<String>, budget: Arc<Budget>) -> Arc<Usage> {
        Arc::new(Usage {
            name: name.into(),
            pool: limits.pool(),
            limits,
            budget,
            opened: AtomicU64::default(),
            read: Moved::default(),
            written: Moved::default(),
            faults_recovered: AtomicU64::default(),
            window_faults: AtomicU64::default(),
            locks_taken: AtomicU64::default(),
            lock_waits: AtomicU64::default(),
            lock_deadlocks: AtomicU64::default(),
            word_waits: AtomicU64::default(),
            refused: Default::default(),
            first_refusal: OnceLock::new(),
            local_read: Moved::default(),
            local_written: Moved::default(),
        })
    }

    /// What the log calls the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The limits that the store is held to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The budget that the store shares with others.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// What is used now and was done so far. Each number is exact; taken together they may be
    /// apart by a call that runs on another thread meanwhile.
    pub fn counters(&self) -> Counters {
        let both = |one: &AtomicU64, other: &AtomicU64| one.load(Relaxed) + other.load(Relaxed);
        Counters {
            mappings: self.pool.used(Resource::Mappings),
            handles: self.pool.used(Resource::Handles),
            mapped_bytes: self.pool.used(Resource::MappedBytes),
            locked_bytes: self.pool.used(Resource::LockedBytes),
            private_bytes: self.pool.used(Resource::PrivateBytes),
            windows: self.pool.used(Resource::Windows),
            window_bytes: self.pool.used(Resource::WindowBytes),
            locks: self.pool.used(Resource::Locks),
            watches: self.pool.used(Resource::Watches),
            waiters: self.pool.used(Resource::Waiters),
            peak_mappings: self.pool.peak(Resource::Mappings),
            peak_handles: self.pool.peak(Resource::Handles),
            peak_mapped_bytes: self.pool.peak(Resource::MappedBytes),
            peak_locked_bytes: self.pool.peak(Resource::LockedBytes),
            peak_private_bytes: self.pool.peak(Resource::PrivateBytes),
            peak_windows: self.pool.peak(Resource::Windows),
            peak_window_bytes: self.pool.peak(Resource::WindowBytes),
            peak_locks: self.pool.peak(Resource::Locks),
            peak_watches: self.pool.peak(Resource::Watches),
            peak_waiters: self.pool.peak(Resource::Waiters),
            opened: self.opened.load(Relaxed),
            reads: both(&self.read.calls, &self.local_read.calls),
            bytes_read: both(&self.read.bytes, &self.local_read.bytes),
            writes: both(&self.written.calls, &self.local_written.calls),
            bytes_written: both(&self.written.bytes, &self.local_written.bytes),
            faults_recovered: self.faults_recovered.load(Relaxed),
            window_faults: self.window_faults.load(Relaxed),
            locks_taken: self.locks_taken.load(Relaxed),
            lock_waits: self.lock_waits.load(Relaxed),
            lock_deadlocks: self.lock_deadlocks.load(Relaxed),
            word_waits: self.word_waits.load(Relaxed),
            refused: self.refused.iter().map(|kind| kind.load(Relaxed)).sum(),
        }
    }

    /// How many calls of a guest were refused so far with this kind of error. A metric of each:
    ///
    /// ```
    /// use iommap::{ErrorKind, Usage};
    /// let usage = Usage::new(Default::default());
    /// for kind in ErrorKind::ALL {
    ///     println!("refused{{code={:?}}} {}", kind.name(), usage.refused(*kind));
    /// }
    /// # assert_eq!(usage.refused(ErrorKind::Enoent), 0);
    /// ```
    pub fn refused(&self, kind: ErrorKind) -> u64 {
        self.refused[kind as usize].load(Relaxed)
    }

    /// The first call of a guest that was refused, and why: what to tell whoever started a guest that
    /// failed, where there is no log. Calls that guests make only to ask what there is, such as for a
    /// window where [`Limits`] allow none, are no refusals here nor in [`Usage::refused`].
    pub fn first_refusal(&self) -> Option<&Refusal> {
        self.first_refusal.get().map(AsRef::as_ref)
    }

    /// Is a call allowed to move this many bytes?
    #[inline]
    pub(crate) fn check_call(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.limits.call_bytes;
        if bytes > limit { Err(exceeded("call-bytes", limit, bytes)) } else { Ok(()) }
    }

    /// May a file be made this long?
    pub(crate) fn check_file(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.limits.file_bytes;
        if bytes > limit { Err(exceeded("file-bytes", limit, bytes)) } else { Ok(()) }
    }

    /// Counts a mapping that was opened, and whatever was reserved for it.
    pub(crate) fn count_open(&self) {
        self.opened.fetch_add(1, Relaxed);
        self.note_peaks();
    }

    /// Notes what is in use, now that what was reserved last is what it is for.
    pub(crate) fn note_peaks(&self) {
        self.pool.note_peaks();
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        self.read.add(bytes);
    }

    pub(crate) fn count_written(&self, bytes: u64) {
        self.written.add(bytes);
    }

    pub(crate) fn count_fault(&self) {
        self.faults_recovered.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_window_faults(&self, faults: u64) {
        if faults > 0 {
            self.window_faults.fetch_add(faults, Relaxed);
        }
    }

    pub(crate) fn count_lock(&self) {
        self.locks_taken.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_lock_wait(&self) {
        self.lock_waits.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_lock_deadlock(&self) {
        self.lock_deadlocks.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_word_wait(&self) {
        self.word_waits.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self, call: &'static str, path: &str, error: &Error) {
        self.refused[error.kind() as usize].fetch_add(1, Relaxed);
        // Only the first is kept, and takes memory: a guest may go on as often as it likes.
        self.first_refusal.get_or_init(|| Box::new(Refusal::new(call, path, error)));
    }

    fn take(&self, resource: Resource, amount: u64) -> Result<(), Error> {
        self.pool.take(resource, amount).map_err(|full| full.of_store())?;
        self.budget.take(resource, amount).inspect_err(|_| self.pool.give_back(resource, amount))
    }

    fn give_back(&self, resource: Resource, amount: u64) {
        self.budget.give_back(resource, amount);
        self.pool.give_back(resource, amount);
    }
}

#[cold]
fn exceeded(limit: &str, value: u64, asked: u64) -> Error {
    Error::because(ErrorKind::LimitExceeded, format!("{limit} is {value}, asked for {asked}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(mapped_bytes: u64) -> Arc<Usage> {
        Usage::new(Limits { mapped_bytes, ..Limits::default() })
    }

    #[test]
    fn beyond_a_limit_more_is_refused_and_nothing_is_taken() {
        let usage = usage(100);
        let held = Reservation::new(&usage, Resource::MappedBytes, 60).unwrap();
        let refused = Reservation::new(&usage, Resource::MappedBytes, 41).unwrap_err();
        assert_eq!(refused, ErrorKind::LimitExceeded);
        assert_eq!(refused.reason(), Some("mapped-bytes is 100, 60 in use, asked for 41"));
        assert_eq!(usage.counters().mapped_bytes, 60);
        drop(held);
        assert_eq!(usage.counters().mapped_bytes, 0);
    }

    #[test]
    fn reservations_that_are_joined_and_shrunk_return_each_byte_once() {
        let usage = usage(100);
        let mut held = Reservation::new(&usage, Resource::MappedBytes, 60).unwrap();
        assert!(Reservation::new(&usage, Resource::MappedBytes, u64::MAX).is_err());
        held.join(Reservation::new(&usage, Resource::MappedBytes, 30).unwrap());
        held.grow(10).unwrap();
        assert!(held.grow(1).is_err());
        assert_eq!(usage.counters().mapped_bytes, 100);
        held.shrink_to(10);
        held.shrink_to(90);
        assert_eq!(usage.counters().mapped_bytes, 10);
        drop(held);
        let counters = usage.counters();
        assert_eq!((counters.mapped_bytes, counters.peak_mapped_bytes), (0, 100));
    }

    #[test]
    fn each_kind_of_error_is_counted_by_itself() {
        let usage = usage(100);
        for (n, kind) in ErrorKind::ALL.iter().enumerate() {
            (0..=n).for_each(|_| usage.count_refused("open", kind.name(), &(*kind).into()));
        }
        for (n, kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(usage.refused(*kind), n as u64 + 1, "{kind:?}");
        }
        let all = ErrorKind::ALL.len() as u64;
        assert_eq!(usage.counters().refused, all * (all + 1) / 2);
        let first = usage.first_refusal().unwrap();
        assert_eq!((first.path(), first.kind()), ("badarg", ErrorKind::Badarg), "and stays so");
    }

    #[test]
    fn stores_that_share_a_budget_are_held_to_it_together() {
        let mut limits = BudgetLimits::unlimited();
        limits.mapped_bytes = 100;
        let budget = Budget::new(limits);
        let store = || Usage::within(Limits::default(), "store", budget.clone());
        let (one, other) = (store(), store());
        let held = Reservation::new(&one, Resource::MappedBytes, 60).unwrap();
        let refused = Reservation::new(&other, Resource::MappedBytes, 60).unwrap_err();
        assert_eq!(refused, ErrorKind::LimitExceeded);
        let reason = "mapped-bytes of all stores together is 100, 60 in use, asked for 60";
        assert_eq!(refused.reason(), Some(reason));
        let counters = other.counters();
        assert_eq!((counters.mapped_bytes, counters.peak_mapped_bytes), (0, 0), "nor of its own");
        drop(held);
        assert!(Reservation::new(&other, Resource::MappedBytes, 60).is_ok());
    }
}
