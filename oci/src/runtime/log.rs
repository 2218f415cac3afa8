//! Errors, where engines look for them: on standard error, and in the runtime's log.

use serde_json::json;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The log that `--log` and `--log-format` ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) file: Option<PathBuf>,
    pub(crate) json: bool,
}

impl Log {
    /// Tells why a container is not created.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let message = format!("iommap-oci: {error:#}");
        // Standard error may be the container's own, which nobody reads.
        self.write("error", &message);
        tell(&message);
    }

    /// Tells what may surprise. Not on standard error if there is a log: that is the container's.
    pub(crate) fn warning(&self, message: impl Display) {
        let message = format!("iommap-oci: {message}");
        if !self.write("warning", &message) {
            tell(&message);
        }
    }

    /// Adds a line to the log, as runc does, if there is one and it can be written to.
    fn write(&self, level: &str, message: &str) -> bool {
        let Some(path) = &self.file else { return false };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = line(self.json, level, message, &time(since.as_secs()));
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).is_ok()
    }
}

fn tell(message: &str) {
    _ = writeln!(std::io::stderr(), "{}", plain(message));
}

/// A message as one line without what a terminal would obey: names in it are the image's.
fn plain(message: &str) -> String {
    let mut plain = String::with_capacity(message.len());
    for letter in message.chars() {
        match letter.is_control() {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
    }
    plain
}

/// A line of the log in runc's form.
fn line(as_json: bool, level: &str, message: &str, time: &str) -> String {
    match as_json {
        true => format!("{}\n", json!({ "level": level, "msg": message, "time": time })),
        false => format!("time=\"{time}\" level={level} msg={message:?}\n"),
    }
}

/// Seconds since 1970 as RFC 3339 has them.
fn time(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut day) = (1970, day);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn times_are_those_of_the_calendar() {
        // From date(1).
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_718_587, "2026-11-26T18:43:07Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), expected);
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_the_message_has() {
        let message = "a \"b\"\n\u{1b}[2J c";
        let text = line(true, "error", message, "T");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, json!({ "level": "error", "msg": message, "time": "T" }));
        for text in [text, line(false, "error", message, "T"), plain(message) + "\n"] {
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.ends_with('\n') && !text.contains('\u{1b}'), "{text}");
        }
        assert_eq!(line(false, "warning", "m", "T"), "time=\"T\" level=warning msg=\"m\"\n");
    }

    #[test]
    fn what_is_in_the_log_already_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log.json");
        let log = Log { file: Some(file.clone()), json: true };
        log.warning("one");
        log.error(&anyhow::anyhow!("two"));
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let of = |n: usize| (lines[n]["level"].as_str(), lines[n]["msg"].as_str());
        assert_eq!(of(0), (Some("warning"), Some("iommap-oci: one")));
        assert_eq!(of(1), (Some("error"), Some("iommap-oci: two")));
    }
}
