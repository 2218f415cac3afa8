//! What the server uses, as Linux tells it.

use crate::tally::Tally;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A process to watch.
pub(crate) struct Watch {
    directory: PathBuf,
}

/// What it uses at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) done: u64,
    /// Requests that got an error because the file was cut or being changed.
    pub(crate) disturbed: u64,
    pub(crate) descriptors: usize,
    /// Lines of its memory map.
    pub(crate) maps: usize,
    pub(crate) threads: u64,
    /// Memory that it has, in KiB; of files and shared in the second.
    pub(crate) resident: u64,
    pub(crate) resident_files: u64,
    /// Pages that it touched so far, and that were not there.
    pub(crate) faults: u64,
}

impl Watch {
    pub(crate) fn new(pid: u32) -> Watch {
        Watch { directory: PathBuf::from(format!("/proc/{pid}")) }
    }

    pub(crate) fn sample(&self, tally: &Tally, at: Duration) -> Result<Sample> {
        let gone = "the server is gone";
        let status = fs::read_to_string(self.directory.join("status")).context(gone)?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .with_context(|| format!("the kernel does not say {name}"))
        };
        let stat = fs::read_to_string(self.directory.join("stat")).context(gone)?;
        // After the program's name, in parentheses: state, six numbers, flags, minor faults.
        let faults = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(7));
        let faults = faults.and_then(|faults| faults.parse().ok());
        Ok(Sample {
            at,
            done: tally.done(),
            disturbed: tally.disturbed(),
            descriptors: fs::read_dir(self.directory.join("fd")).context(gone)?.count(),
            maps: fs::read_to_string(self.directory.join("maps")).context(gone)?.lines().count(),
            threads: number("Threads:")?,
            resident: number("VmRSS:")?,
            resident_files: number("RssFile:")? + number("RssShmem:")?,
            faults: faults.context("the kernel does not tell page faults")?,
        })
    }
}

impl Sample {
    /// Memory of its own, in KiB: what a leak would show in.
    pub(crate) fn own(&self) -> u64 {
        self.resident - self.resident_files.min(self.resident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_uses_is_read() {
        let sample = Watch::new(std::process::id()).sample(&Tally::new(), Duration::ZERO).unwrap();
        assert!(sample.own() > 0 && sample.faults > 0 && sample.maps > 0);
        assert!(Watch::new(u32::MAX).sample(&Tally::new(), Duration::ZERO).is_err());
    }
}
