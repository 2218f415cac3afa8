//! Counting without a locked instruction, which would wait for the copy that it counts.

use super::Account;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Counts bytes for an account: whoever has it counts alone, and so by plain additions. An
/// account has one at most; without it, bytes are counted by [`Account::count_read`] and
/// [`Account::count_written`], from any thread.
#[derive(Debug)]
pub(crate) struct Teller(Arc<Account>);

impl Teller {
    /// The account's teller, unless somebody else has it.
    pub(crate) fn new(account: &Arc<Account>) -> Option<Teller> {
        // What a teller before this one counted has to be seen by this one.
        (!account.has_teller.swap(true, Acquire)).then(|| Teller(account.clone()))
    }

    /// The teller, if it is one of this account.
    #[inline]
    pub(crate) fn of<'a>(
        teller: Option<&'a mut Teller>,
        account: &Arc<Account>,
    ) -> Option<&'a mut Teller> {
        teller.filter(|teller| Arc::ptr_eq(&teller.0, account))
    }

    #[inline]
    pub(crate) fn count_read(&mut self, bytes: u64) {
        add_alone(&self.0.told_read, bytes);
    }

    #[inline]
    pub(crate) fn count_written(&mut self, bytes: u64) {
        add_alone(&self.0.told_written, bytes);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.has_teller.store(false, Release);
    }
}

/// Adds to a number that nobody else changes.
#[inline]
fn add_alone(number: &AtomicU64, more: u64) {
    number.store(number.load(Relaxed).wrapping_add(more), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn given_a_teller_when_both_it_and_others_count_then_the_account_has_the_sum() {
        let account = Account::new(Limits::default());
        let mut teller = Teller::new(&account).unwrap();
        assert!(Teller::new(&account).is_none(), "there is one at a time");
        teller.count_read(1);
        account.count_read(10);
        teller.count_written(2);
        account.count_written(20);
        drop(teller);
        let mut next = Teller::new(&account).unwrap();
        next.count_read(100);
        let counters = account.counters();
        assert_eq!((counters.bytes_read, counters.bytes_written), (111, 22));
    }

    #[test]
    fn given_a_teller_when_it_is_asked_for_another_account_then_it_is_none() {
        let (ours, theirs) = (Account::new(Limits::default()), Account::new(Limits::default()));
        let mut teller = Teller::new(&ours).unwrap();
        assert!(Teller::of(Some(&mut teller), &ours).is_some());
        assert!(Teller::of(Some(&mut teller), &theirs).is_none());
        assert!(Teller::of(None, &ours).is_none());
    }
}
