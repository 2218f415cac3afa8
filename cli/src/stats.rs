//! What `--stats` prints.

use crate::lost;
use bytesize::ByteSize;
use iommap::{ErrorKind, Usage};
use std::fmt;
use std::time::Duration;

/// What a component did, and how long it took.
#[derive(Debug)]
pub(crate) struct Stats<'a> {
    pub(crate) usage: &'a Usage,
    /// Until the component could start: reading and compiling it.
    pub(crate) loading: Duration,
    /// From its start to its end.
    pub(crate) running: Duration,
}

impl fmt::Display for Stats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { usage, loading, running } = self;
        let (loading, running) = (loading.as_secs_f64(), running.as_secs_f64());
        let c = usage.counters();
        writeln!(f, "stats")?;
        writeln!(f, "  time              {running:.3} s, after {loading:.3} s of loading")?;
        writeln!(f, "  mappings opened   {}", c.opened)?;
        writeln!(
            f,
            "  most at once      {} ({})",
            c.peak_mappings,
            described(c.peak_mapped_bytes)
        )?;
        writeln!(f, "  open at the end   {} ({})", c.mappings, described(c.mapped_bytes))?;
        if c.peak_locked_bytes > 0 {
            writeln!(f, "  locked at most    {}", described(c.peak_locked_bytes))?;
        }
        if c.peak_private_bytes > 0 {
            writeln!(f, "  private at most   {}", described(c.peak_private_bytes))?;
        }
        writeln!(f, "  read              {}{}", described(c.bytes_read), in_calls(c.reads))?;
        writeln!(f, "  written           {}{}", described(c.bytes_written), in_calls(c.writes))?;
        let lost = lost::in_windows(usage);
        if lost > 0 {
            writeln!(f, "  lost in windows   {lost}")?;
        }
        if c.locks_taken > 0 || c.lock_waits > 0 {
            let (waits, deadlocks) = (c.lock_waits, c.lock_deadlocks);
            let taken = c.locks_taken;
            writeln!(f, "  locks taken       {taken} ({waits} waits, {deadlocks} deadlocks)")?;
        }
        if c.word_waits > 0 {
            writeln!(f, "  waits on words    {}", c.word_waits)?;
        }
        writeln!(f, "  faults recovered  {}", c.faults_recovered)?;
        write!(f, "  calls refused     {}", c.refused)?;
        for kind in ErrorKind::ALL {
            if let count @ 1.. = usage.refused(*kind) {
                write!(f, ", {count} by {}", kind.name())?;
            }
        }
        Ok(())
    }
}

fn in_calls(calls: u64) -> String {
    match calls {
        0 => String::new(),
        1 => " in one call".to_owned(),
        _ => format!(" in {calls} calls"),
    }
}

/// A number of bytes for people, such as `1.5 MiB (1572864 bytes)`.
fn described(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{} ({bytes} bytes)", ByteSize(bytes).display().iec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iommap::{FsPerms, Grants, Limits, OpenOptions};

    #[test]
    fn what_was_used_and_done_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), [7; 4096]).unwrap();
        let mut grants = Grants::default();
        grants.preopened_dir(dir.path(), "/", FsPerms::ReadOnly).unwrap();
        let usage = Usage::new(Limits::default());
        let options = OpenOptions::new().read(true);
        let mapping = grants.open(&usage, "/file", &options).unwrap();
        drop(grants.open(&usage, "/file", &options).unwrap());
        mapping.pread(0, &mut [0; 1000]).unwrap();
        mapping.pread(0, &mut [0; 536]).unwrap();
        let running = Duration::from_millis(1250);
        let stats = Stats { usage: &usage, loading: Duration::from_micros(500), running };
        assert_eq!(
            stats.to_string(),
            "stats\n  time              1.250 s, after 0.001 s of loading\n  \
             mappings opened   2\n  most at once      2 (8.0 KiB (8192 bytes))\n  \
             open at the end   1 (4.0 KiB (4096 bytes))\n  \
             read              1.5 KiB (1536 bytes) in 2 calls\n  written           0 bytes\n  \
             faults recovered  0\n  calls refused     0"
        );
    }

    #[test]
    fn bytes_are_rounded_and_exact() {
        assert_eq!(described(0), "0 bytes");
        assert_eq!(described(1), "1 byte");
        assert_eq!(described(1023), "1023 bytes");
        assert_eq!(described(1536), "1.5 KiB (1536 bytes)");
        assert_eq!(described(u64::MAX), "16.0 EiB (18446744073709551615 bytes)");
    }
}
