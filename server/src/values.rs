//! How the values on the command line are written: sizes, times, limits and directories.
//!
//! Sizes and times are read by the crates that `iommap` itself uses for them.

use iommap::Limits;
use parse_size::Config;
use std::path::PathBuf;
use std::time::Duration;

/// The longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How much alike two names must be for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.7;

/// Where a limit is kept.
type Field = fn(&mut Limits) -> &mut u64;

/// The limits by name.
const LIMITS: [(&str, Field); 5] = [
    ("mappings", |limits| &mut limits.mappings),
    ("mapped-bytes", |limits| &mut limits.mapped_bytes),
    ("file-bytes", |limits| &mut limits.file_bytes),
    ("call-bytes", |limits| &mut limits.call_bytes),
    ("locked-bytes", |limits| &mut limits.locked_bytes),
];

/// One `--limit`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    field: Field,
    value: u64,
}

impl Limit {
    pub(crate) fn parse(text: &str) -> Result<Limit, String> {
        let names = LIMITS.map(|(name, _)| name).join(", ");
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("write NAME=VALUE, where NAME is one of {names}"))?;
        let known = LIMITS.iter().find(|(known, _)| *known == name);
        let (_, field) = known.ok_or_else(|| match similar(name) {
            Some(similar) => format!("there is no limit `{name}`: did you mean `{similar}`?"),
            None => format!("there is no limit `{name}`: the limits are {names}"),
        })?;
        Ok(Limit { field: *field, value: size(value)? })
    }

    pub(crate) fn apply(self, limits: &mut Limits) {
        *(self.field)(limits) = self.value;
    }
}

/// The limit whose name is most like a misspelt one.
fn similar(name: &str) -> Option<&'static str> {
    let scored = LIMITS.map(|(known, _)| (strsim::jaro_winkler(known, name), known));
    let best = scored.into_iter().max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// A number, or a number of bytes such as `64G`, in powers of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|error| format!("`{text}`: {error}; write 4096, or 4K, 64M, 2G (powers of 1024)"))
}

/// The memory of an instance: too little to hold a page is a mistake, such as MiB without an M.
pub(crate) fn memory(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes >= 64 << 10)
        .ok_or_else(|| format!("`{text}` is too little or too much: write 64M for 64 MiB"))
}

/// A time such as `5s`, `250ms` or `1m 30s`, or a plain number of seconds. More than none.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    time_or_none(text)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| format!("`{text}` is not a time: write 5s, 250ms, 1m 30s; at most a day"))
}

/// The same, or none at all.
pub(crate) fn time_or_none(text: &str) -> Result<Duration, String> {
    let time = match text.parse() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    time.filter(|time| *time <= LONGEST)
        .ok_or_else(|| format!("`{text}` is not a time: write 0, 5s, 250ms; at most a day"))
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

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_a_unit() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64G"), Ok(64 << 30));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(memory("8M"), Ok(8 << 20));
        for wrong in ["", "many", "-1", "64"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_take_a_unit_or_are_seconds() {
        assert_eq!(time("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(time_or_none("0"), Ok(Duration::ZERO));
        for wrong in ["", "0", "0s", "-1", "NaN", "inf", "2days", "soon"] {
            assert!(time(wrong).unwrap_err().contains("5s"), "{wrong}");
        }
    }

    #[test]
    fn a_misspelt_limit_is_guessed() {
        let error = Limit::parse("mapings=1").unwrap_err();
        assert!(error.contains("did you mean `mappings`"), "{error}");
        let error = Limit::parse("speed=1").unwrap_err();
        assert!(error.contains("mapped-bytes, file-bytes"), "{error}");
    }
}
