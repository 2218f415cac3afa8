//! What one store may use, what it uses now, and what it has done.
//!
//! [`Limits`] is the embedder's say; [`Account`] holds the store to it. Whatever is used is
//! held by a [`Charge`], which returns it when dropped: no path can forget to.

#[cfg(feature = "component")]
mod teller;
#[cfg(feature = "component")]
pub(crate) use teller::Teller;

use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The number in the name of the next account that is not given one.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What one store may use. The defaults suit a plugin that maps a few large files.
///
/// ```
/// let limits = iommap::Limits { mappings: 4, ..Default::default() };
/// assert_eq!(limits.call_bytes, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mappings open at once: 64.
    pub mappings: u64,
    /// Bytes mapped at once, all mappings together: 64 GiB.
    pub mapped_bytes: u64,
    /// The length, in bytes, to which a file may be created or grown: 64 GiB.
    pub file_bytes: u64,
    /// Bytes that one call may move, and memory that one call may take for its list of ranges:
    /// 64 MiB.
    pub call_bytes: u64,
    /// Bytes locked in memory at once: 0, so that `lock` is refused with `eacces`.
    pub locked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            mappings: 64,
            mapped_bytes: 64 << 30,
            file_bytes: 64 << 30,
            call_bytes: 64 << 20,
            locked_bytes: 0,
        }
    }
}

impl Limits {
    /// The names of the limits, as [`set`](Limits::set) and the command line take them.
    pub const NAMES: [&'static str; 5] =
        ["mappings", "mapped-bytes", "file-bytes", "call-bytes", "locked-bytes"];

    /// Sets the limit of this name (see [`NAMES`](Limits::NAMES)); `false` if there is none.
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        let limit = match name {
            "mappings" => &mut self.mappings,
            "mapped-bytes" => &mut self.mapped_bytes,
            "file-bytes" => &mut self.file_bytes,
            "call-bytes" => &mut self.call_bytes,
            "locked-bytes" => &mut self.locked_bytes,
            _ => return false,
        };
        *limit = value;
        true
    }
}

/// What a store uses and has done so far, read at one moment. See [`Account::counters`].
///
/// ```
/// let account = iommap::Account::new(Default::default());
/// assert_eq!(account.counters(), iommap::Counters::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Mappings open now.
    pub mappings: u64,
    /// Bytes mapped now.
    pub mapped_bytes: u64,
    /// Bytes locked in memory now.
    pub locked_bytes: u64,
    /// Mappings opened so far.
    pub opened: u64,
    /// Bytes read through mappings so far.
    pub bytes_read: u64,
    /// Bytes written through mappings so far.
    pub bytes_written: u64,
    /// Reads and writes so far that met a page without a file behind it, and lived.
    pub faults_recovered: u64,
}

/// Holds one store to its [`Limits`] and counts what it does. Shared by its mappings.
///
/// ```
/// use iommap::{Account, Limits};
/// let account = Account::named(Limits { mappings: 4, ..Limits::default() }, "plugin");
/// assert_eq!((account.name(), account.limits().mappings), ("plugin", 4));
/// assert_eq!(account.counters().opened, 0);
/// ```
#[derive(Debug, Default)]
pub struct Account {
    name: String,
    limits: Limits,
    used: [AtomicU64; 3],
    opened: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    faults_recovered: AtomicU64,
    /// What the account's teller counts beside `bytes_read` and `bytes_written`.
    told_read: AtomicU64,
    told_written: AtomicU64,
    #[cfg(feature = "component")]
    has_teller: std::sync::atomic::AtomicBool,
}

/// What is charged: an index into `Account::used`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource {
    Mappings,
    MappedBytes,
    LockedBytes,
}

impl Account {
    /// An account with nothing used, for a store that is called `store-` and a number of its own.
    pub fn new(limits: Limits) -> Arc<Account> {
        Account::named(limits, format!("store-{}", NEXT.fetch_add(1, Relaxed)))
    }

    /// An account with nothing used, for a store of this name.
    pub fn named(limits: Limits, name: impl Into<String>) -> Arc<Account> {
        Arc::new(Account { name: name.into(), limits, ..Account::default() })
    }

    /// What the log calls the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The limits that this account holds its store to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is used now and was done so far. Each number is exact; taken together they may be
    /// apart by a call that runs on another thread meanwhile.
    pub fn counters(&self) -> Counters {
        let used = |resource: Resource| self.used[resource as usize].load(Relaxed);
        Counters {
            mappings: used(Resource::Mappings),
            mapped_bytes: used(Resource::MappedBytes),
            locked_bytes: used(Resource::LockedBytes),
            opened: self.opened.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed) + self.told_read.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed) + self.told_written.load(Relaxed),
            faults_recovered: self.faults_recovered.load(Relaxed),
        }
    }

    /// Is a call allowed to move this many bytes?
    pub(crate) fn check_call(&self, bytes: u64) -> Result<(), Error> {
        if bytes > self.limits.call_bytes { Err(Error::LimitExceeded) } else { Ok(()) }
    }

    /// May a file be made this long?
    pub(crate) fn check_file(&self, bytes: u64) -> Result<(), Error> {
        if bytes > self.limits.file_bytes { Err(Error::LimitExceeded) } else { Ok(()) }
    }

    pub(crate) fn count_open(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        if bytes > 0 {
            self.bytes_read.fetch_add(bytes, Relaxed);
        }
    }

    pub(crate) fn count_written(&self, bytes: u64) {
        if bytes > 0 {
            self.bytes_written.fetch_add(bytes, Relaxed);
        }
    }

    pub(crate) fn count_fault(&self) {
        self.faults_recovered.fetch_add(1, Relaxed);
    }

    fn limit(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Mappings => self.limits.mappings,
            Resource::MappedBytes => self.limits.mapped_bytes,
            Resource::LockedBytes => self.limits.locked_bytes,
        }
    }

    fn take(&self, resource: Resource, amount: u64) -> Result<(), Error> {
        let limit = self.limit(resource);
        self.used[resource as usize]
            .try_update(Relaxed, Relaxed, |used| {
                used.checked_add(amount).filter(|after| *after <= limit)
            })
            .map(drop)
            .map_err(|_| Error::LimitExceeded)
    }

    fn give_back(&self, resource: Resource, amount: u64) {
        self.used[resource as usize].fetch_sub(amount, Relaxed);
    }
}

/// Some of a store's allowance, returned when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    resource: Resource,
    amount: u64,
}

impl Charge {
    /// Takes `amount` of a resource, or says [`Error::LimitExceeded`] and takes nothing.
    pub(crate) fn new(
        account: &Arc<Account>,
        resource: Resource,
        amount: u64,
    ) -> Result<Charge, Error> {
        account.take(resource, amount)?;
        Ok(Charge { account: account.clone(), resource, amount })
    }

    /// Makes the charge at most `amount`, returning the rest.
    pub(crate) fn shrink_to(&mut self, amount: u64) {
        if let Some(less) = self.amount.checked_sub(amount) {
            self.account.give_back(self.resource, less);
            self.amount = amount;
        }
    }

    /// Adds another charge of the same account and resource to this one.
    pub(crate) fn join(&mut self, mut other: Charge) {
        self.amount += std::mem::take(&mut other.amount);
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give_back(self.resource, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(mapped_bytes: u64) -> Arc<Account> {
        Account::new(Limits { mapped_bytes, ..Limits::default() })
    }

    #[test]
    fn given_a_limit_when_it_is_reached_then_more_is_refused_and_nothing_is_taken() {
        let account = account(100);
        let held = Charge::new(&account, Resource::MappedBytes, 60).unwrap();
        let refused = Charge::new(&account, Resource::MappedBytes, 41).unwrap_err();
        assert_eq!(refused, Error::LimitExceeded);
        assert_eq!(account.counters().mapped_bytes, 60);
        drop(held);
        assert_eq!(account.counters().mapped_bytes, 0);
    }

    #[test]
    fn given_two_charges_when_joined_and_shrunk_then_each_byte_is_returned_once() {
        let account = account(100);
        let mut charge = Charge::new(&account, Resource::MappedBytes, 60).unwrap();
        assert!(Charge::new(&account, Resource::MappedBytes, u64::MAX).is_err());
        charge.join(Charge::new(&account, Resource::MappedBytes, 40).unwrap());
        assert_eq!(account.counters().mapped_bytes, 100);
        charge.shrink_to(10);
        charge.shrink_to(90);
        assert_eq!(account.counters().mapped_bytes, 10);
        drop(charge);
        assert_eq!(account.counters().mapped_bytes, 0);
    }

    #[test]
    fn given_every_name_when_a_limit_is_set_by_it_then_it_is_taken_and_others_are_not() {
        let mut limits = Limits::default();
        for name in Limits::NAMES {
            assert!(limits.set(name, 7), "{name}");
        }
        assert_eq!(
            limits,
            Limits { mappings: 7, mapped_bytes: 7, file_bytes: 7, call_bytes: 7, locked_bytes: 7 }
        );
        assert!(!limits.set("nonsense", 7));
    }
}
