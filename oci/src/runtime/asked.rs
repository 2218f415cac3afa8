//! What an engine asks, as far as it matters here: `runc [OPTIONS] create [OPTIONS] ID`.

use super::log::Log;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Options of runc, crun and youki that are followed by a value. Of any other option nothing is
/// known but that it has none.
const WITH_VALUE: &[&str] = &[
    "b",
    "bundle",
    "cgroup-manager",
    "config",
    "console-socket",
    "criu",
    "f",
    "l",
    "log",
    "log-format",
    "log-level",
    "pid-file",
    "pidfd-socket",
    "preserve-fds",
    "r",
    "root",
    "rootless",
];

/// A request, looked through.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Where a container is that is to be created.
    pub(crate) bundle: Option<PathBuf>,
    pub(crate) log: Log,
}

impl Asked {
    /// Looks through a command line without the program's name.
    pub(crate) fn of(args: &[OsString]) -> Asked {
        let mut asked = Asked::default();
        let mut creates = None;
        let mut bundle = PathBuf::from(".");
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some((name, value)) = option(arg) else {
                match creates {
                    // The command comes first, and then the container's name.
                    None => creates = Some(arg == "create" || arg == "run"),
                    Some(_) => break,
                }
                continue;
            };
            let value = match value {
                Some(value) => value,
                None if WITH_VALUE.contains(&name) => match args.next() {
                    Some(value) => value,
                    None => break,
                },
                None => continue,
            };
            match (creates, name) {
                (None, "log" | "l") => asked.log.file = Some(value.into()),
                (None, "log-format") => asked.log.json = value == "json",
                (Some(true), "bundle" | "b") => bundle = value.into(),
                _ => {}
            }
        }
        if creates == Some(true) {
            asked.bundle = Some(bundle);
        }
        asked
    }
}

/// The name of an option, and the value that is written with it.
fn option(arg: &OsStr) -> Option<(&str, Option<&OsStr>)> {
    let bytes = arg.as_bytes().strip_prefix(b"-")?;
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]))),
        None => (bytes, None),
    };
    // What is no text is the name of no option that is known here.
    Some((std::str::from_utf8(name).unwrap_or_default(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::of(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn bundle(line: &str) -> Option<String> {
        asked(line).bundle.map(|path| path.display().to_string())
    }

    #[test]
    fn a_bundle_is_found_as_engines_write_it() {
        let at = Some("/b".to_owned());
        for line in [
            "create --bundle /b id",
            "--root /r --log /l --log-format json create --bundle /b --pid-file /p id",
            "--root=/r --systemd-cgroup --debug create --pid-file=/p --bundle=/b id",
            "-root /r run -b /b --no-pivot id",
            "run -b=/b --keep --preserve-fds 3 id",
        ] {
            assert_eq!(bundle(line), at, "{line}");
        }
        assert_eq!(bundle("create id"), Some(".".to_owned()));
        assert_eq!(bundle("run -d id"), Some(".".to_owned()));
    }

    #[test]
    fn what_creates_nothing_has_no_bundle() {
        for line in [
            "",
            "--version",
            "--root",
            "state id",
            "start create",
            "--root create start id",
            "--log create kill id 15",
            "exec --process /p id create --bundle /b",
        ] {
            assert_eq!(bundle(line), None, "{line}");
        }
    }

    #[test]
    fn the_log_is_the_one_of_the_runtime() {
        let log = asked("--log /l --log-format json create --log /other id").log;
        assert_eq!((log.file, log.json), (Some("/l".into()), true));
        let log = asked("--log=/l state id").log;
        assert_eq!((log.file, log.json), (Some("/l".into()), false));
        assert_eq!(asked("create --bundle /b id").log, Log::default());
    }

    #[test]
    fn options_behind_the_containers_name_are_none() {
        assert_eq!(bundle("create --bundle /b id --bundle /c"), Some("/b".to_owned()));
    }
}
