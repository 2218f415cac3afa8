//! Numbers of bytes, times and variables, as people write them.

use std::time::Duration;

/// Reads a number of bytes, which may end in K, M, G or T: powers of 1024, however they are spelled.
///
/// # Errors
///
/// It is none, or does not fit. The message says what to write.
pub fn bytes(text: &str) -> Result<u64, String> {
    parse_size::Config::new().with_binary().parse_size(text).map_err(|error| match error {
        parse_size::Error::PosOverflow => {
            format!("`{text}` is too large: at most {} is possible", u64::MAX)
        }
        _ => format!("`{text}` is not a number: write 4096, or 4K, 64MiB, 2G, 1T (powers of 1024)"),
    })
}

/// Reads a time: a number of seconds, or numbers with a unit.
///
/// # Errors
///
/// It is none, or none at all. The message says what to write.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            format!("`{text}` is not a time: write a number of seconds, or 500ms, 5s, 2m, 1h30m")
        })
}

/// Reads an environment variable, `NAME=VALUE`, or takes the value of `NAME` from this process.
///
/// # Errors
///
/// It has no name, or no value that a component could have. The message says what to write.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, inherited(text)?),
    };
    if name.is_empty() {
        return Err("the variable has no name: write NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value))
}

fn inherited(name: &str) -> Result<String, String> {
    use std::env::VarError::{NotPresent, NotUnicode};
    std::env::var(name).map_err(|error| match error {
        NotPresent => format!("`{name}` is not set here: write `{name}=VALUE`"),
        NotUnicode(_) => format!("the value of `{name}` is not UTF-8, which a component's must be"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_any_unit_are_powers_of_1024() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4096),
            ("1k", 1 << 10),
            ("64KiB", 64 << 10),
            ("64KB", 64 << 10),
            ("8M", 8 << 20),
            ("8mib", 8 << 20),
            ("1.5M", 3 << 19),
            ("2G", 2 << 30),
            ("1TiB", 1 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_none_are_told_what_to_write() {
        for text in ["", "K", "iB", "-1", "1X", "0x10", "lots", "€"] {
            assert!(bytes(text).unwrap_err().contains("64MiB"), "{text}");
        }
        for text in ["18446744073709551616", "16777216T", "99999999999999999999999"] {
            assert!(bytes(text).unwrap_err().contains("too large"), "{text}");
        }
    }

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        for (text, milliseconds) in
            [("10", 10_000), ("0.5", 500), ("5s", 5_000), ("250ms", 250), ("1h 30m", 5_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0", "0s", "-1", "NaN", "inf", "1e300", "5 parsecs", "soon"] {
            assert!(duration(text).unwrap_err().contains("5s"), "{text}");
        }
    }

    #[test]
    fn variables_without_a_name_or_a_value_are_refused() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        assert!(variable("=b").is_err() && variable("").is_err());
        assert!(variable("NO_SUCH_VARIABLE").unwrap_err().contains("NO_SUCH_VARIABLE=VALUE"));
    }
}
