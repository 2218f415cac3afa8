//! Counting without a locked instruction, which would wait for the copy that it counts.

use super::{Moved, Usage};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Counts what one store moves: only whoever has the store has its counter, and so it
/// counts by plain additions. What others move for the same usage, from any thread, is counted by
/// [`Usage::count_read`] and [`Usage::count_written`].
#[derive(Debug)]
pub(crate) struct LocalCounter(Arc<Usage>);

impl LocalCounter {
    /// The only counter of a new usage.
    pub(crate) fn of_new(usage: Arc<Usage>) -> LocalCounter {
        LocalCounter(usage)
    }

    pub(crate) fn usage(&self) -> &Arc<Usage> {
        &self.0
    }

    #[inline]
    pub(crate) fn count_read(&mut self, bytes: u64) {
        add_alone(&self.0.local_read, bytes);
    }

    #[inline]
    pub(crate) fn count_written(&mut self, bytes: u64) {
        add_alone(&self.0.local_written, bytes);
    }
}

/// Counts a call and its bytes where nobody else does.
#[inline]
fn add_alone(moved: &Moved, bytes: u64) {
    for (number, more) in [(&moved.calls, 1), (&moved.bytes, bytes)] {
        number.store(number.load(Relaxed).wrapping_add(more), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn the_counters_have_the_sum_of_what_the_store_and_others_moved() {
        let usage = Usage::new(Limits::default());
        let mut counter = LocalCounter::of_new(usage.clone());
        counter.count_read(1);
        usage.count_read(10);
        counter.count_written(2);
        usage.count_written(20);
        let counters = usage.counters();
        assert_eq!((counters.bytes_read, counters.bytes_written), (11, 22));
        counter.count_written(0);
        let counters = usage.counters();
        assert_eq!((counters.reads, counters.writes, counters.bytes_written), (2, 3, 22));
    }
}
