//! `cargo xtask geoip`: the sample guest's lookups a second, beside those of the native crate
//! `maxminddb`, on the same addresses in one run.

use crate::workspace::{cargo, output, root, say, shown, target_dir};
use crate::{artifacts, data, demo, guests, toolchain};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the guest has to do at least, as a part of what the native crate does.
const GOAL: f64 = 0.25;

/// How many addresses the guest takes down the tree together, in its second mode.
const BATCH: u64 = 256;

/// Fetches the database, builds both, and measures them in turns. Tells whether the goal is met.
pub fn run(count: u32, rounds: u32, seed: u64) -> Result<bool> {
    ensure!(count > 0 && rounds > 0, "nothing is to be measured");
    let database = data::ensure()?;
    let guests = guests::build(&root().join("guest-example"), &toolchain::ensure()?)?;
    let guest = guests.into_iter().find(|guest| guest.name == "geoip");
    let guest = guest.context("guest-example has no guest named `geoip`")?;
    say("building the host with fat LTO, which takes minutes the first time");
    let iommap = release("iommap-cli", "iommap")?;
    let native = release("iommap-geoip", "iommap-geoip")?;

    let dir = target_dir().join("geoip");
    fs::create_dir_all(&dir)?;
    let file = dir.join("addresses");
    let text = output(
        Command::new(&native)
            .arg("addresses")
            .arg(&database)
            .args([count.to_string(), seed.to_string()]),
    )?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;

    let mut by_native = Command::new(&native);
    by_native.arg("bench").args([&database, &file]);
    let mut by_guest = by_guest(&iommap, &guest.path, &database, &file, count)?;
    say(format_args!("native: {}", shown(&by_native)));
    say(format_args!("guest: {}", shown(&by_guest)));
    let mut rates = Vec::new();
    for round in 1..=rounds {
        say(format_args!("round {round} of {rounds}"));
        rates.push([lines(&output(&mut by_native)?)?, lines(&output(&mut by_guest)?)?].concat());
    }
    let rows = [4, 6].map(|version| Row::of(version, &rates));
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(report(&rows, count, rounds))
}

/// Builds a program as it is installed.
fn release(package: &str, name: &str) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--locked", "--package", package, "--bin", name]);
    artifacts::build(&mut cargo)?
        .into_iter()
        .filter_map(|artifact| artifact.executable)
        .find(|path| path.file_stem().is_some_and(|stem| stem == name))
        .with_context(|| format!("cargo built no binary named `{name}`"))
}

fn by_guest(
    iommap: &Path,
    guest: &Path,
    database: &Path,
    file: &Path,
    count: u32,
) -> Result<Command> {
    let (database, addresses) = (demo::Grant::of(database)?, demo::Grant::of(file)?);
    let mut command = Command::new(iommap);
    command.args(["run", "--dir", &database.to("/db"), "--dir", &addresses.to("/data")]);
    command.arg(guest);
    command.args([&database.file_in("/db"), "--file", &addresses.file_in("/data")]);
    command.args(["--json", "--bench", &(2 * u64::from(count)).to_string()]);
    Ok(command)
}

fn lines(text: &str) -> Result<Vec<Value>> {
    let lines = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    lines.with_context(|| format!("not what a benchmark prints:\n{text}"))
}

/// Lookups a second of one IP version: medians.
#[derive(Debug, PartialEq)]
struct Row {
    version: u64,
    native: f64,
    single: f64,
    batch: f64,
    /// How many addresses have a country: the same of all three, or they did different things.
    countries: u64,
}

impl Row {
    fn of(version: u64, rounds: &[Vec<Value>]) -> Result<Row> {
        let lines = || rounds.iter().flatten().filter(|line| line["ip_version"] == version);
        let rate = |batch: Option<u64>| {
            let mut rates: Vec<f64> = lines()
                .filter(|line| line["batch"].as_u64() == batch)
                .filter_map(|line| line["per_second"].as_f64())
                .collect();
            ensure!(rates.len() == rounds.len(), "a benchmark left out IPv{version}");
            rates.sort_by(f64::total_cmp);
            Ok(rates[rates.len() / 2])
        };
        let mut countries = lines().filter_map(|line| line["countries"].as_u64());
        let first = countries.next().context("nobody counted the countries")?;
        ensure!(countries.all(|count| count == first), "not all found as many countries");
        Ok(Row {
            version,
            native: rate(None)?,
            single: rate(Some(1))?,
            batch: rate(Some(BATCH))?,
            countries: first,
        })
    }

    /// How much of the native rate the guest comes to, in its better mode.
    fn ratio(&self) -> f64 {
        self.single.max(self.batch) / self.native
    }
}

fn report(rows: &[Row], count: u32, rounds: u32) -> bool {
    println!("\nLookups a second, medians of {rounds} rounds, {count} random addresses each:\n");
    println!(
        "| addresses | with a country | native maxminddb | guest, one at a time | guest, {BATCH} at a time |"
    );
    println!("|---|---|---|---|---|");
    for row in rows {
        let guest = |rate: f64| format!("{rate:.0} ({:.0} %)", rate / row.native * 100.0);
        let countries = f64::from(row.countries as u32) / f64::from(count) * 100.0;
        println!(
            "| IPv{} | {countries:.0} % | {:.0} | {} | {} |",
            row.version,
            row.native,
            guest(row.single),
            guest(row.batch)
        );
    }
    let met = rows.iter().all(|row| row.ratio() >= GOAL);
    let verdict = if met { "met" } else { "MISSED" };
    println!("\nGoal: at least {:.0} % of the native rate: {verdict}", GOAL * 100.0);
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(native: f64, single: f64, batch: f64, countries: u64) -> Vec<Value> {
        let line = |batch: Option<u64>, rate: f64| {
            let batch = batch.map_or(String::new(), |batch| format!(r#""batch":{batch},"#));
            format!(r#"{{"ip_version":4,{batch}"countries":{countries},"per_second":{rate}}}"#)
        };
        let text = [line(None, native), line(Some(1), single), line(Some(256), batch)].join("\n");
        lines(&text).unwrap()
    }

    #[test]
    fn medians_are_compared() {
        let rounds = [round(9e6, 1e6, 3e6, 7), round(8e6, 2e6, 1e6, 7), round(1e6, 9e6, 2e6, 7)];
        let row = Row::of(4, &rounds).unwrap();
        let expected = Row { version: 4, native: 8e6, single: 2e6, batch: 2e6, countries: 7 };
        assert_eq!(row, expected);
        assert_eq!(row.ratio(), 0.25);
        assert!(report(&[row], 10, 3));
        assert!(!report(&[Row { single: 1e6, batch: 1.9e6, ..expected }], 10, 3));
    }

    #[test]
    fn different_work_is_not_compared() {
        let error = Row::of(4, &[round(1., 1., 1., 7), round(1., 1., 1., 8)]).unwrap_err();
        assert!(error.to_string().contains("countries"), "{error}");
        assert!(Row::of(6, &[round(1., 1., 1., 7)]).is_err());
        assert!(lines("oops").is_err());
    }
}
