//! What `--stats` prints.

use bytesize::ByteSize;
use iommap::Counters;
use std::fmt;
use std::time::Duration;

/// What a component did, and how long it took.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) counters: Counters,
    /// Until the component could start: reading and compiling it.
    pub(crate) loading: Duration,
    /// From its start to its end.
    pub(crate) running: Duration,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { counters: c, loading, running } = self;
        let (loading, running) = (loading.as_secs_f64(), running.as_secs_f64());
        writeln!(f, "stats")?;
        writeln!(f, "  time              {running:.3} s, after {loading:.3} s of loading")?;
        writeln!(f, "  mappings opened   {}", c.opened)?;
        writeln!(f, "  open at the end   {} ({})", c.mappings, described(c.mapped_bytes))?;
        if c.locked_bytes > 0 {
            writeln!(f, "  locked            {}", described(c.locked_bytes))?;
        }
        writeln!(f, "  read              {}", described(c.bytes_read))?;
        writeln!(f, "  written           {}", described(c.bytes_written))?;
        if c.window_faults > 0 {
            writeln!(f, "  lost in windows   {}", c.window_faults)?;
        }
        write!(f, "  faults recovered  {}", c.faults_recovered)
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

    #[test]
    fn every_counter_is_shown() {
        let mut counters = Counters::default();
        counters.mappings = 1;
        counters.mapped_bytes = 4096;
        counters.opened = 2;
        counters.bytes_read = 1536;
        counters.bytes_written = 7;
        counters.faults_recovered = 3;
        counters.window_faults = 4;
        let running = Duration::from_millis(1250);
        let stats = Stats { counters, loading: Duration::from_micros(500), running };
        assert_eq!(
            stats.to_string(),
            "stats\n  time              1.250 s, after 0.001 s of loading\n  \
             mappings opened   2\n  open at the end   1 (4.0 KiB (4096 bytes))\n  \
             read              1.5 KiB (1536 bytes)\n  written           7 bytes\n  \
             lost in windows   4\n  faults recovered  3"
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
