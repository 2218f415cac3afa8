//! What came of windows, and whether it adds up.

use anyhow::{Context, Result};
use iommap::{Budget, Counters};
use std::fs;

/// What the ends of stores are called, in the order of `windows::stores::End`.
pub(crate) const ENDS: [&str; 5] =
    ["dropped", "data kept", "data used again", "table cleared", "by a thread"];

/// What guests saw in windows, of one store or many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) steps: u64,
    pub(crate) opened: u64,
    pub(crate) moved: u64,
    pub(crate) loaded: u64,
    pub(crate) stored: u64,
    pub(crate) lost: u64,
    pub(crate) untold: u64,
    pub(crate) disagreed: u64,
    /// Lost pages in windows that became zeros, as the stores counted them.
    pub(crate) covered: u64,
    /// How stores with windows ended: see `stores::End`.
    pub(crate) ends: [u64; 5],
    pub(crate) aborted: u64,
    /// Windows and their bytes that were still reserved when a store was gone.
    pub(crate) unreturned: u64,
}

impl Seen {
    /// Counts what a store's usage says once the store is gone.
    pub(crate) fn store(&mut self, used: Counters) {
        self.covered += used.window_faults;
        self.unreturned += used.windows + used.window_bytes + used.handles;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        self.steps += other.steps;
        self.opened += other.opened;
        self.moved += other.moved;
        self.loaded += other.loaded;
        self.stored += other.stored;
        self.lost += other.lost;
        self.untold += other.untold;
        self.disagreed += other.disagreed;
        self.covered += other.covered;
        for (sum, count) in self.ends.iter_mut().zip(other.ends) {
            *sum += count;
        }
        self.aborted += other.aborted;
        self.unreturned += other.unreturned;
    }
}

/// What the process as a whole has of windows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    /// Lost pages that the guard covered with zeros.
    pub(crate) covered: u64,
    /// Windows that stores hold.
    pub(crate) windows: u64,
    /// Address space, in the sizes of a guest's memory, of which each takes more than one.
    pub(crate) memories: u64,
}

impl Process {
    /// What there is now.
    pub(crate) fn now() -> Result<Process> {
        let status = fs::read_to_string("/proc/self/status")?;
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kib = size.and_then(|size| size.split_whitespace().next()?.parse::<u64>().ok());
        Ok(Process {
            covered: iommap::guard::watch::faults_covered(),
            windows: Budget::of_process().used().windows,
            memories: kib.context("no VmSize")? >> 22,
        })
    }

    /// What has come since then, and what is left.
    pub(crate) fn since(before: &Process) -> Result<Process> {
        let now = Process::now()?;
        Ok(Process {
            covered: now.covered - before.covered,
            windows: now.windows,
            memories: now.memories.saturating_sub(before.memories),
        })
    }
}

/// Prints the rows of the table.
pub(crate) fn rows(seen: &Seen, process: &Process, row: impl Fn(&str, u64)) {
    row("steps by guests with windows", seen.steps);
    row("windows opened", seen.opened);
    row("windows moved", seen.moved);
    row("bytes loaded from windows", seen.loaded);
    row("bytes stored to windows", seen.stored);
    row("windows found to have lost pages", seen.lost);
    row("lost pages covered by the guard", process.covered);
    row("lost pages the stores counted", seen.covered);
    row("zeros without a word", seen.untold);
    row("tokens that the host contradicts", seen.disagreed);
    for (name, count) in ENDS.iter().zip(seen.ends) {
        row(&format!("stores with windows: {name}"), count);
    }
    row("wasm traps: aborted", seen.aborted);
    row("windows and handles not returned", seen.unreturned + process.windows);
    row("guests' memories left", process.memories);
}

/// What is wrong.
pub(crate) fn findings(seen: &Seen, process: &Process) -> Vec<String> {
    let mut found = Vec::new();
    let mut unless = |good: bool, what: String| {
        if !good {
            found.push(what);
        }
    };
    unless(seen.loaded > 0, "nothing was loaded from windows".into());
    unless(seen.stored > 0, "nothing was stored to windows".into());
    unless(seen.lost > 0, "no window was found to have lost a page".into());
    unless(seen.untold == 0, format!("{} zeros in windows without a word", seen.untold));
    unless(seen.disagreed == 0, format!("{} tokens say otherwise than the host", seen.disagreed));
    let (covered, counted) = (process.covered, seen.covered);
    unless(
        covered == counted,
        format!("{covered} lost pages covered in windows, {counted} accounted for"),
    );
    for (name, count) in ENDS.iter().zip(seen.ends) {
        unless(count > 0, format!("no store with windows ended so: {name}"));
    }
    let left = seen.unreturned + process.windows;
    unless(left == 0, format!("{left} of quota for windows not returned"));
    unless(process.memories == 0, format!("memories of guests left: {}", process.memories));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_about_windows_that_does_not_add_up_is_found() {
        let good =
            Seen { loaded: 1, stored: 1, lost: 1, covered: 7, ends: [1; 5], ..Seen::default() };
        let process = Process { covered: 7, ..Process::default() };
        assert_eq!(findings(&good, &process), Vec::<String>::new());
        let change: [fn(&mut Seen, &mut Process); 7] = [
            |seen, _| seen.untold = 1,
            |seen, _| seen.disagreed = 1,
            |seen, _| seen.covered = 6,
            |seen, _| seen.ends[3] = 0,
            |seen, _| seen.unreturned = 1,
            |_, process| process.windows = 1,
            |_, process| process.memories = 1,
        ];
        for (n, change) in change.iter().enumerate() {
            let (mut seen, mut process) = (good.clone(), process);
            change(&mut seen, &mut process);
            assert_eq!(findings(&seen, &process).len(), 1, "{n}");
        }
    }
}
