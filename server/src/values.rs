//! How values on the command line are written, where it is not as for `iommap` itself.

use iommap_cli::{bytes, duration};
use std::path::PathBuf;
use std::time::Duration;

/// The longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The least memory that an instance can have: a page of it.
const LEAST: usize = 64 << 10;

/// The memory of an instance, in bytes. Too little is a mistake, such as MiB without an M.
pub(crate) fn memory(text: &str) -> Result<usize, String> {
    let memory = usize::try_from(bytes(text)?).ok().filter(|bytes| *bytes >= LEAST);
    memory.ok_or_else(|| format!("`{text}` bytes are too few or too many: write 64M for 64 MiB"))
}

/// A time such as `5s`, `250ms` or `1m 30s`, or a plain number of seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let time = Some(duration(text)?).filter(|time| *time <= LONGEST);
    time.ok_or_else(|| format!("`{text}` is too long: at most a day"))
}

/// The same, or none at all.
pub(crate) fn time_or_none(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { time(text) }
}

/// `HOST::GUEST`.
pub(crate) fn directory(text: &str) -> Result<(PathBuf, String), String> {
    match text.split_once("::") {
        Some((host, guest)) if !host.is_empty() && !guest.is_empty() => {
            Ok((host.into(), guest.to_owned()))
        }
        _ => Err("write HOST::GUEST, as in /var/lib/geoip::/data".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_takes_a_unit_and_is_a_page_at_least() {
        assert_eq!(memory("8M"), Ok(8 << 20));
        for wrong in ["", "many", "-1", "64"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_a_day_at_most() {
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("24h"), Ok(LONGEST));
        assert_eq!(time_or_none("0s"), Ok(Duration::ZERO));
        for wrong in ["", "0", "25h", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
