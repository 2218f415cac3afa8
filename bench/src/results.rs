//! What was measured, and how to find it again.

use crate::cases::{Case, Place};
use crate::contenders::{Contender, Task};
use crate::rounds::Sample;
use crate::threads::Throughput;

/// All that one run measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) samples: Vec<Sample>,
    pub(crate) threads: Vec<Throughput>,
}

impl Results {
    /// One contender in one case.
    pub(crate) fn sample(&self, case: Case, contender: Contender) -> Option<&Sample> {
        self.samples.iter().find(|sample| sample.case == case && sample.contender == contender)
    }

    /// The sizes measured for a task in a place, in order.
    pub(crate) fn sizes(&self, task: Task, place: Place) -> Vec<u32> {
        let mut sizes: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| (sample.case.task, sample.case.place) == (task, place))
            .map(|sample| sample.case.size)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}
