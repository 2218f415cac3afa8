//! What was measured, and how to find it again.

use crate::cases::{Case, Place};
use crate::contenders::{Contender, Task};

/// What one contender needed in one case, in nanoseconds an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) case: Case,
    pub(crate) contender: Contender,
    pub(crate) median: f64,
    pub(crate) minimum: f64,
}

/// Reads a second of all threads together, in millions: medians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    pub(crate) threads: usize,
    /// Through iommap.
    pub(crate) iommap: f64,
    /// By memcpy from a native map: what the machine itself gives to more threads.
    pub(crate) memcpy: f64,
}

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
