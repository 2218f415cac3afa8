//! `cargo xtask load`: the HTTP server under load. First the two ways to read the file side by
//! side, by wrk; then a long run while the file is replaced and cut short, by `iommap-load`, which
//! holds every answer to the truth and watches what the server uses.

use crate::sections;
use crate::serve::{self, Running, Served};
use crate::workspace::{output, root, say};
use crate::wrk::{Measured, Wrk};
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Connections, each with one request under way.
const CONNECTIONS: u32 = 32;

/// How long the server is under load before it is measured, in seconds.
const WARM_UP: u64 = 1;

/// How the file is read: a name for people, and arguments for the server.
const WAYS: [(&str, &[&str]); 3] = [
    ("mapped", &["--env", "LOOKUP_VIA=iommap"]),
    ("`wasi:filesystem`, waiting in place", &["--env", "LOOKUP_VIA=wasi"]),
    ("`wasi:filesystem`, its default", &["--env", "LOOKUP_VIA=wasi", "--offload"]),
];

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests of the long run.
    pub requests: u64,
    /// Rounds of the comparison.
    pub rounds: usize,
    /// Seconds of each measurement.
    pub seconds: u64,
    /// Whether docs/performance.md is written.
    pub write: bool,
}

/// Runs what is wanted, and prints it. Tells whether nothing was wrong and nothing left over.
pub fn run(load: &Load, database: Option<&Path>) -> Result<bool> {
    let served = Served::prepare(database)?;
    let wrk = if load.rounds > 0 { Some(Wrk::ensure()?) } else { None };
    say("building with fat LTO, which takes minutes the first time");
    let (server, client) = serve::released()?;
    // A directory of its own, since the database in it is destroyed.
    let directory = Scratch::new()?;
    let name = served.database.file_name().context("the database has no name")?;
    let copy = Served { database: directory.0.join(name), ..served };
    fs::copy(&served.database, &copy.database).context("cannot copy the database")?;

    let mut written = Vec::new();
    if let Some(wrk) = wrk {
        let targets = directory.0.join("targets");
        serve::list_targets(&client, &copy.database, &targets)?;
        let table = compare(load, &wrk, &copy, &server, &targets)?;
        println!("{table}");
        written.push(("server-load", table));
    }
    let mut good = true;
    if load.requests > 0 {
        let report;
        (report, good) = long_run(load, &copy, &server, &client)?;
        println!("{report}");
        written.push(("server-long-run", report));
    }
    if load.write {
        let sections: Vec<_> = written.iter().map(|(name, text)| (*name, text.as_str())).collect();
        sections::write(&root().join("docs/performance.md"), &sections)?;
    }
    Ok(good)
}

/// What one measurement found.
struct Found {
    wrk: Measured,
    /// Memory that the kernel gave the server for each request, in bytes.
    touched: f64,
    /// Memory of its own beyond what it has at rest, for each connection, in bytes.
    held: f64,
}

/// Measures each way in turn, in rounds, and makes a table of the medians.
fn compare(
    load: &Load,
    wrk: &Wrk,
    served: &Served,
    server: &Path,
    targets: &Path,
) -> Result<String> {
    let mut found: [Vec<Found>; WAYS.len()] = Default::default();
    for round in 1..=load.rounds {
        for ((name, options), found) in WAYS.iter().zip(&mut found) {
            say(format_args!("round {round} of {}: {name}", load.rounds));
            found.push(measure(load, wrk, served.command(server)?.args(*options), targets)?);
        }
    }
    let mut table = format!(
        "Medians of {} rounds of {} s, {CONNECTIONS} connections, wrk on the same processors.\n\n\
         | the file is | requests a second | half within | 99 of 100 within | memory touched by a \
         request | held for a request under way |\n|---|---:|---:|---:|---:|---:|\n",
        load.rounds, load.seconds,
    );
    for ((name, _), found) in WAYS.iter().zip(&found) {
        let median = |value: fn(&Found) -> f64| median(found.iter().map(value).collect());
        writeln!(
            table,
            "| {name} | {:.0} | {:.2} ms | {:.2} ms | {:.1} KiB | {:.0} KiB |",
            median(|found| found.wrk.rate),
            median(|found| found.wrk.p50) / 1e3,
            median(|found| found.wrk.p99) / 1e3,
            median(|found| found.touched) / 1024.0,
            median(|found| found.held) / 1024.0,
        )?;
    }
    Ok(table)
}

fn measure(load: &Load, wrk: &Wrk, server: &mut Command, targets: &Path) -> Result<Found> {
    let server = Running::start(server.env("IOMMAP_LOG", "error"))?;
    let address = format!("http://{}", server.address);
    let rest = Used::of(server.pid())?;
    wrk.run(&address, targets, CONNECTIONS, WARM_UP)?;
    let before = Used::of(server.pid())?;
    let measured = wrk.run(&address, targets, CONNECTIONS, load.seconds)?;
    let after = Used::of(server.pid())?;
    ensure!(server.stop()?, "the server did not stop in order");
    Ok(Found {
        wrk: measured,
        touched: after.faults.saturating_sub(before.faults) as f64 * page_size()?
            / measured.requests as f64,
        held: after.own.saturating_sub(rest.own) as f64 / f64::from(CONNECTIONS),
    })
}

/// What a process has used so far, as Linux tells it.
struct Used {
    /// Pages that it touched and that were not there.
    faults: u64,
    /// Memory of its own, in bytes.
    own: u64,
}

impl Used {
    fn of(pid: u32) -> Result<Used> {
        let read = |name: &str| {
            fs::read_to_string(format!("/proc/{pid}/{name}")).context("the server is gone")
        };
        let (stat, status) = (read("stat")?, read("status")?);
        // After the program's name, in parentheses: state, six numbers, flags, minor faults.
        let faults = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(7));
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let own = own.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        Ok(Used {
            faults: faults.context("no page faults")?.parse().context("no number of faults")?,
            own: own.context("the kernel does not tell RssAnon")? << 10,
        })
    }
}

fn page_size() -> Result<f64> {
    let text = output(Command::new("getconf").arg("PAGESIZE"))?;
    text.trim().parse().context("the size of a page is no number")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => values[count / 2 - 1].midpoint(values[count / 2]),
    }
}

/// The long run: what `iommap-load` reports, and whether all was well.
fn long_run(load: &Load, served: &Served, server: &Path, client: &Path) -> Result<(String, bool)> {
    say(format_args!("{} requests, while the file is replaced and cut", load.requests));
    let server = Running::start(served.command(server)?.env("IOMMAP_LOG", "error"))?;
    let child = Command::new(client)
        .args(["run", "--server", &server.address, "--pid", &server.pid().to_string()])
        .args(["--requests", &load.requests.to_string(), "--database"])
        .arg(&served.database)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run iommap-load")?;
    let ended = child.wait_with_output()?;
    let report = String::from_utf8_lossy(&ended.stdout).into_owned();
    let lived = server.stop().context("the server did not live")?;
    Ok((report, ended.status.success() && lived))
}

/// A directory that goes with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let path = std::env::temp_dir().join(format!("iommap-load-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_process_uses_is_read() {
        let used = Used::of(std::process::id()).unwrap();
        assert!(used.faults > 0 && used.own > 0);
        assert!(Used::of(u32::MAX).is_err());
    }
}
