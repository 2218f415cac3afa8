//! `cargo xtask geoip`: the sample guest `geoip` on a real database, beside the native crate
//! `maxminddb`, each alone and in turns.

use crate::run::{read, released, say};
use anyhow::{Context, Result, ensure};
use iommap_artifacts::{SetUp, Toolchain, database, guest, target_dir};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// What the guest has to do at least, as a part of what the native crate does.
const GOAL: f64 = 0.25;

/// Measures, prints a table, and fails if the goal is missed.
pub(crate) fn run(count: u32, rounds: usize, seed: u64) -> Result<()> {
    ensure!(count > 0 && rounds > 0, "nothing is to be measured");
    let database = database(SetUp::Allowed)?;
    Toolchain::set_up()?;
    let guest = guest("geoip");
    let iommap = released("iommap-cli", "iommap")?;
    let native = released("iommap-geoip", "iommap-geoip")?;

    let dir = target_dir().join("geoip");
    fs::create_dir_all(&dir)?;
    let addresses = dir.join("addresses");
    let numbers = [count.to_string(), seed.to_string()];
    let list = read(Command::new(&native).arg("addresses").arg(&database).args(numbers))?;
    fs::write(&addresses, list)?;

    let mut by_native = Command::new(&native);
    by_native.arg("bench").args([&database, &addresses]);
    let mut by_guest = Command::new(&iommap);
    let grant = |file: &std::path::Path, name: &str| {
        format!("{}::{name}::ro", file.parent().unwrap_or(file).display())
    };
    by_guest.args(["run", "--dir", &grant(&database, "/db"), "--dir", &grant(&addresses, "/data")]);
    let name = database.file_name().context("it has a name")?.to_string_lossy();
    by_guest.args([
        guest,
        &format!("/db/{name}"),
        "--file",
        "/data/addresses",
        "--json",
        "--bench",
    ]);
    by_guest.arg((2 * u64::from(count)).to_string());

    let mut lines = Vec::new();
    for round in 1..=rounds {
        say(format_args!("round {round} of {rounds}"));
        for program in [&mut by_native, &mut by_guest] {
            for line in read(program)?.lines() {
                lines.push(serde_json::from_str::<Value>(line)?);
            }
        }
    }
    println!("\nLookups a second, medians of {rounds} rounds, {count} random addresses each:\n");
    println!("| addresses | native maxminddb | guest, one at a time | guest, 256 at a time |");
    println!("|---|---|---|---|");
    let mut met = true;
    for version in [4, 6] {
        let [native, single, batch] =
            [None, Some(1), Some(256)].map(|batch| median(&lines, version, batch));
        let (native, single, batch) = (native?, single?, batch?);
        let part = |rate: f64| format!("{rate:.0} ({:.0} %)", rate / native * 100.0);
        println!("| IPv{version} | {native:.0} | {} | {} |", part(single), part(batch));
        met &= single.max(batch) >= GOAL * native;
    }
    let mut countries = lines.iter().map(|line| (&line["ip_version"], &line["countries"]));
    let first: Vec<_> = countries.by_ref().take(2).collect();
    ensure!(countries.all(|found| first.contains(&found)), "not all found as many countries");
    ensure!(met, "the goal is missed: at least {:.0} % of the native rate", GOAL * 100.0);
    println!("\nGoal: at least {:.0} % of the native rate: met", GOAL * 100.0);
    Ok(())
}

/// The median rate of one way to look up.
fn median(lines: &[Value], version: u64, batch: Option<u64>) -> Result<f64> {
    let chosen = lines
        .iter()
        .filter(|line| line["ip_version"] == version && line["batch"].as_u64() == batch)
        .filter_map(|line| line["per_second"].as_f64());
    let mut rates: Vec<f64> = chosen.collect();
    rates.sort_by(f64::total_cmp);
    rates
        .get(rates.len() / 2)
        .copied()
        .with_context(|| format!("a benchmark left out IPv{version}"))
}
