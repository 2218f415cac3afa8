//! How much there is of each resource, and how much of it is in use.

use crate::error::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is used up by mappings: an index into a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Mappings,
    Handles,
    MappedBytes,
    LockedBytes,
    PrivateBytes,
    Windows,
    WindowBytes,
    Locks,
    Watches,
    /// Who waits on a word.
    Waiters,
    /// Ranges of address space, of which the kernel gives a process only so many.
    Ranges,
}

/// How many kinds of resources there are.
pub(super) const RESOURCES: usize = 11;

impl Resource {
    fn name(self) -> &'static str {
        match self {
            Resource::Mappings => "mappings",
            Resource::Handles => "handles",
            Resource::MappedBytes => "mapped-bytes",
            Resource::LockedBytes => "locked-bytes",
            Resource::PrivateBytes => "private-bytes",
            Resource::Windows => "windows",
            Resource::WindowBytes => "window-bytes",
            Resource::Locks => "locks",
            Resource::Watches => "watches",
            Resource::Waiters => "waiters",
            Resource::Ranges => "address ranges",
        }
    }
}

#[derive(Debug)]
pub(super) struct Pool {
    limits: [u64; RESOURCES],
    used: [AtomicU64; RESOURCES],
    peak: [AtomicU64; RESOURCES],
}

fn note_peak(peak: &AtomicU64, used: &AtomicU64) {
    let used = used.load(Relaxed);
    // As a rule it is no new one, and nothing is written.
    if used > peak.load(Relaxed) {
        peak.fetch_max(used, Relaxed);
    }
}

/// There is not as much left as was asked for.
#[derive(Debug)]
pub(super) struct Full {
    resource: Resource,
    limit: u64,
    used: u64,
    asked: u64,
}

impl Pool {
    pub(super) fn new(limits: [u64; RESOURCES]) -> Pool {
        Pool { limits, used: Default::default(), peak: Default::default() }
    }

    pub(super) fn used(&self, resource: Resource) -> u64 {
        self.used[resource as usize].load(Relaxed)
    }

    /// The most that was ever in use, of what was noted.
    pub(super) fn peak(&self, resource: Resource) -> u64 {
        self.peak[resource as usize].load(Relaxed)
    }

    /// Notes what is in use. Not with each reservation: what it is for may fail.
    pub(super) fn note_peak(&self, resource: Resource) {
        note_peak(&self.peak[resource as usize], &self.used[resource as usize]);
    }

    pub(super) fn note_peaks(&self) {
        self.peak.iter().zip(&self.used).for_each(|(peak, used)| note_peak(peak, used));
    }

    /// Takes all of it or nothing.
    pub(super) fn take(&self, resource: Resource, asked: u64) -> Result<(), Full> {
        let limit = self.limits[resource as usize];
        self.used[resource as usize]
            .try_update(Relaxed, Relaxed, |used| {
                used.checked_add(asked).filter(|after| *after <= limit)
            })
            .map(drop)
            .map_err(|used| Full { resource, limit, used, asked })
    }

    pub(super) fn give_back(&self, resource: Resource, amount: u64) {
        self.used[resource as usize].fetch_sub(amount, Relaxed);
    }
}

impl Full {
    /// The store's own limit is reached.
    #[cold]
    pub(super) fn of_store(&self) -> Error {
        self.error("")
    }

    /// The limit of all stores together is reached.
    #[cold]
    pub(super) fn of_budget(&self) -> Error {
        self.error(" of all stores together")
    }

    fn error(&self, whose: &str) -> Error {
        let Full { resource, limit, used, asked } = self;
        let name = resource.name();
        let reason = format!("{name}{whose} is {limit}, {used} in use, asked for {asked}");
        Error::because(ErrorKind::LimitExceeded, reason)
    }
}
