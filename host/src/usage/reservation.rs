//! Some of what a store may use, held until it is dropped.

use super::{Resource, Usage};
use crate::error::Error;
use std::sync::Arc;

/// Given back when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    usage: Arc<Usage>,
    resource: Resource,
    amount: u64,
}

impl Reservation {
    /// Takes `amount` of a resource, or says [`ErrorKind::LimitExceeded`] and takes nothing.
    pub(crate) fn new(
        usage: &Arc<Usage>,
        resource: Resource,
        amount: u64,
    ) -> Result<Reservation, Error> {
        usage.take(resource, amount)?;
        Ok(Reservation { usage: usage.clone(), resource, amount })
    }

    /// Takes `more` beside what it has, or takes nothing.
    pub(crate) fn grow(&mut self, more: u64) -> Result<(), Error> {
        self.usage.take(self.resource, more)?;
        self.usage.pool.note_peak(self.resource);
        self.amount += more;
        Ok(())
    }

    /// Makes the reservation at most `amount`, returning the rest.
    pub(crate) fn shrink_to(&mut self, amount: u64) {
        if let Some(less) = self.amount.checked_sub(amount) {
            self.usage.give_back(self.resource, less);
            self.amount = amount;
        }
    }

    /// Adds another reservation of the same usage and resource to this one.
    pub(crate) fn join(&mut self, mut other: Reservation) {
        self.usage.pool.note_peak(self.resource);
        self.amount += std::mem::take(&mut other.amount);
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }

    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.usage.give_back(self.resource, self.amount);
    }
}
