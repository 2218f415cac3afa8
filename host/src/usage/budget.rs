//! What all stores of a process, or of a tenant, may use together.

use super::machine;
use super::pool::{Pool, RESOURCES, Resource};
use crate::error::Error;
use std::sync::{Arc, LazyLock};

/// What stores that share a [`Budget`] may use together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetLimits {
    /// Mappings open at once.
    pub mappings: u64,
    /// Handles that guests hold at once, of closed mappings too.
    pub handles: u64,
    /// Bytes mapped at once.
    pub mapped_bytes: u64,
    /// Bytes locked in memory at once.
    pub locked_bytes: u64,
    /// Bytes of pages written in `private` mappings.
    pub private_bytes: u64,
    /// Windows at once. However large this is, a process has no more than an eighth of the ranges
    /// of address space that the kernel gives it.
    pub windows: u64,
    /// Bytes in windows at once.
    pub window_bytes: u64,
    /// Ranges of files locked at once, which the kernel keeps.
    pub locks: u64,
    /// Waits for changes of files at once.
    pub watches: u64,
    /// Who waits on words at once: a thread each.
    pub waiters: u64,
    /// Ranges of address space. The kernel gives a process only so many (`vm.max_map_count` on
    /// Linux, 65,530 as a rule); one that has none left can neither start a thread nor allocate.
    /// Mappings on one common region take one; a mapping with hints for parts of it takes more.
    pub ranges: u64,
}

impl BudgetLimits {
    /// What leaves room for the host itself: half of the ranges of address space that the kernel
    /// gives a process, half of a 47-bit address space, and for pages that are locked or written
    /// in private mappings a quarter of the memory that this machine or its container has.
    pub fn for_this_process() -> BudgetLimits {
        let memory = machine::memory().unwrap_or(1 << 30);
        let ranges = machine::ranges().unwrap_or(65_530);
        BudgetLimits {
            mappings: 1 << 20,
            handles: 1 << 20,
            mapped_bytes: 1 << 46,
            locked_bytes: memory / 4,
            private_bytes: memory / 4,
            windows: ranges / 8,
            window_bytes: 1 << 46,
            locks: 1 << 16,
            watches: 1 << 16,
            waiters: 256,
            ranges: ranges / 2,
        }
    }

    /// No limits: for an embedder that keeps to the machine's by other means.
    pub fn unlimited() -> BudgetLimits {
        BudgetLimits {
            mappings: u64::MAX,
            handles: u64::MAX,
            mapped_bytes: u64::MAX,
            locked_bytes: u64::MAX,
            private_bytes: u64::MAX,
            windows: u64::MAX,
            window_bytes: u64::MAX,
            locks: u64::MAX,
            watches: u64::MAX,
            waiters: u64::MAX,
            ranges: u64::MAX,
        }
    }

    pub(super) fn pool(&self) -> Pool {
        let mut each = [u64::MAX; RESOURCES];
        each[Resource::Mappings as usize] = self.mappings;
        each[Resource::Handles as usize] = self.handles;
        each[Resource::MappedBytes as usize] = self.mapped_bytes;
        each[Resource::LockedBytes as usize] = self.locked_bytes;
        each[Resource::PrivateBytes as usize] = self.private_bytes;
        each[Resource::Windows as usize] = self.windows;
        each[Resource::WindowBytes as usize] = self.window_bytes;
        each[Resource::Locks as usize] = self.locks;
        each[Resource::Watches as usize] = self.watches;
        each[Resource::Waiters as usize] = self.waiters;
        each[Resource::Ranges as usize] = self.ranges;
        Pool::new(each)
    }
}

/// What stores use together, and may use together at most.
///
/// Every store is held to one: to [`Budget::of_process`] unless its embedder gives it another, so
/// that any number of stores with limits of their own leaves room for the host.
///
/// ```
/// use iommap::{Budget, BudgetLimits, Limits, Usage};
/// // A tenant that has a hundred stores, and may map 16 GiB with all of them.
/// let mut limits = BudgetLimits::for_this_process();
/// limits.mapped_bytes = 16 << 30;
/// let tenant = Budget::new(limits);
/// // `IommapCtxBuilder::budget` does this for a store of wasmtime's.
/// let usage = Usage::within(Limits::default(), "store", tenant.clone());
/// assert_eq!(usage.budget().used().mapped_bytes, 0);
/// ```
#[derive(Debug)]
pub struct Budget {
    limits: BudgetLimits,
    pool: Pool,
    /// What this one was divided from.
    parent: Option<Arc<Budget>>,
}

impl Budget {
    /// A budget with nothing used, beside the one of the process: stores that are given this one
    /// are held to it alone.
    pub fn new(limits: BudgetLimits) -> Arc<Budget> {
        Arc::new(Budget::with(limits, None))
    }

    /// A budget inside this one: what its stores use counts against both.
    pub fn divide(self: &Arc<Budget>, limits: BudgetLimits) -> Arc<Budget> {
        Arc::new(Budget::with(limits, Some(self.clone())))
    }

    /// The budget of stores that are given no other, sized by
    /// [`BudgetLimits::for_this_process`].
    pub fn of_process() -> Arc<Budget> {
        static PROCESS: LazyLock<Arc<Budget>> =
            LazyLock::new(|| Budget::new(BudgetLimits::for_this_process()));
        PROCESS.clone()
    }

    fn with(limits: BudgetLimits, parent: Option<Arc<Budget>>) -> Budget {
        Budget { pool: limits.pool(), limits, parent }
    }

    /// The limits.
    pub fn limits(&self) -> &BudgetLimits {
        &self.limits
    }

    /// What is in use now, in the units of the limits.
    pub fn used(&self) -> BudgetLimits {
        BudgetLimits {
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
            ranges: self.pool.used(Resource::Ranges),
        }
    }

    pub(super) fn take(&self, resource: Resource, amount: u64) -> Result<(), Error> {
        self.pool.take(resource, amount).map_err(|full| full.of_budget())?;
        match &self.parent {
            Some(parent) => {
                parent.take(resource, amount).inspect_err(|_| self.pool.give_back(resource, amount))
            }
            None => Ok(()),
        }
    }

    pub(super) fn give_back(&self, resource: Resource, amount: u64) {
        if let Some(parent) = &self.parent {
            parent.give_back(resource, amount);
        }
        self.pool.give_back(resource, amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divided_budget_counts_against_its_parent_too() {
        let mut limits = BudgetLimits::unlimited();
        limits.ranges = 10;
        let whole = Budget::new(limits.clone());
        limits.ranges = 8;
        let (one, other) = (whole.divide(limits.clone()), whole.divide(limits));
        one.take(Resource::Ranges, 8).unwrap();
        assert!(one.take(Resource::Ranges, 1).is_err(), "its own share is used up");
        assert!(other.take(Resource::Ranges, 3).is_err(), "the whole has 2 left");
        assert_eq!((whole.used().ranges, other.used().ranges), (8, 0));
        one.give_back(Resource::Ranges, 8);
        other.take(Resource::Ranges, 3).unwrap();
        assert_eq!(whole.used().ranges, 3);
    }

    #[test]
    fn the_process_keeps_room_for_itself() {
        let limits = BudgetLimits::for_this_process();
        assert!(limits.ranges > 0 && limits.ranges < 1 << 31, "{limits:?}");
        assert!(limits.private_bytes > 0 && limits.private_bytes == limits.locked_bytes);
    }
}
