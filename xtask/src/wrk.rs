//! wrk, which loads HTTP servers: this machine's, or Debian's package, unpacked in the cache.

use crate::workspace::{cache_dir, output, say};
use crate::{apt, cache, debian};
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// wrk, ready to be run.
pub(crate) struct Wrk {
    /// Where it was unpacked, unless it is this machine's own.
    unpacked: Option<PathBuf>,
}

/// What a run of wrk found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Half of the requests took no longer than this, in microseconds.
    pub(crate) p50: f64,
    /// And 99 of a hundred than this.
    pub(crate) p99: f64,
}

impl Wrk {
    /// Finds it, or gets it: less than a megabyte, once.
    pub(crate) fn ensure() -> Result<Wrk> {
        // It prints its version and fails, since it was given nothing to do.
        if Command::new("wrk").arg("-v").output().is_ok() {
            return Ok(Wrk { unpacked: None });
        }
        ensure!(
            debian::is_debian(),
            "no wrk, which makes the load: install it; on Debian it would be fetched"
        );
        let home = cache_dir()?.join("wrk-1");
        cache::make_once(&home, |dir| {
            say(format_args!("unpacking Debian's wrk in {}", home.display()));
            let debs = dir.join("debs");
            fs::create_dir(&debs)?;
            apt::download_program(&debs, "wrk")?;
            for deb in fs::read_dir(&debs)? {
                output(Command::new("dpkg-deb").arg("-x").arg(deb?.path()).arg(dir))?;
            }
            fs::remove_dir_all(&debs).context("cannot tidy up")
        })?;
        Ok(Wrk { unpacked: Some(home) })
    }

    fn command(&self) -> Result<Command> {
        let Some(home) = &self.unpacked else { return Ok(Command::new("wrk")) };
        let mut command = Command::new(home.join("usr/bin/wrk"));
        let libraries = fs::read_dir(home.join("usr/lib"))?.map(|entry| Ok(entry?.path()));
        let libraries = libraries.collect::<Result<Vec<_>>>()?;
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries)?);
        Ok(command)
    }

    /// Asks a server for the targets that a file lists, again and again, on so many connections.
    /// Anything but 200 is an error.
    pub(crate) fn run(
        &self,
        server: &str,
        targets: &Path,
        connections: u32,
        seconds: u64,
    ) -> Result<Measured> {
        let script = targets.with_extension("lua");
        fs::write(&script, SCRIPT)?;
        let mut wrk = self.command()?;
        wrk.args(["--threads", "1", "--latency", "--connections", &connections.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .args([script.as_os_str(), OsStr::new(server), OsStr::new("--"), targets.as_os_str()]);
        Measured::parse(&output(&mut wrk)?)
    }
}

/// What wrk asks for: the lines of a file, in turn.
const SCRIPT: &str = r#"
local requests, at = {}, 0
function init(args)
    for line in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format("GET", line)
    end
end
function request()
    at = at % #requests + 1
    return requests[at]
end
"#;

impl Measured {
    fn parse(text: &str) -> Result<Measured> {
        for trouble in ["Non-2xx or 3xx responses:", "Socket errors:"] {
            let line = text.lines().find(|line| line.trim().starts_with(trouble));
            ensure!(line.is_none(), "the server was in trouble:\n{text}");
        }
        let after = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
            line.map(str::trim).with_context(|| format!("wrk does not say `{name}`:\n{text}"))
        };
        let total = text.lines().find_map(|line| line.split_once(" requests in "));
        let total = total.and_then(|(count, _)| count.trim().parse().ok());
        Ok(Measured {
            requests: total.with_context(|| format!("wrk counts no requests:\n{text}"))?,
            rate: after("Requests/sec:")?.parse().context("wrk's rate is no number")?,
            p50: microseconds(after("50%")?)?,
            p99: microseconds(after("99%")?)?,
        })
    }
}

/// Reads a time such as `812.00us` or `1.73ms`.
fn microseconds(text: &str) -> Result<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 6e7,
        _ => anyhow::bail!("`{text}` is not a time as wrk writes it"),
    };
    Ok(number.parse::<f64>().with_context(|| format!("`{text}` is not a time"))? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 5s test @ http://127.0.0.1:8080/\n  1 threads and 32 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.52ms  424.20us   \
        9.12ms   80.36%\n    Req/Sec    21.08k     1.05k   22.93k    74.00%\n  Latency \
        Distribution\n     50%    1.45ms\n     75%    1.70ms\n     90%    1.99ms\n     99%  \
        812.00us\n  104862 requests in 5.00s, 40.10MB read\nRequests/sec:  20968.56\n\
        Transfer/sec:      8.02MB\n";

    #[test]
    fn what_wrk_prints_is_understood() {
        let measured = Measured::parse(OUTPUT).unwrap();
        let expected = Measured { requests: 104_862, rate: 20968.56, p50: 1450.0, p99: 812.0 };
        assert_eq!(measured, expected);
        assert!(Measured::parse("").is_err());
        assert_eq!(microseconds("2.00s").unwrap(), 2e6);
        assert!(microseconds("2 parsecs").is_err());
    }

    #[test]
    fn trouble_is_not_measured() {
        for trouble in [
            "  Non-2xx or 3xx responses: 3\n",
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
        ] {
            let error = Measured::parse(&format!("{OUTPUT}{trouble}")).unwrap_err().to_string();
            assert!(error.contains(trouble.trim()), "{error}");
        }
    }
}
