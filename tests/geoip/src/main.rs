//! `iommap-geoip`: random addresses, and how many lookups a second the crate `maxminddb` does.
//! `cargo xtask geoip` runs it beside the guest.

use std::fs;
use std::hint::black_box;
use std::io::{BufWriter, Write, stdout};
use std::net::IpAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use iommap_geoip::{Reference, random};

const USAGE: &str = "\
Usage: iommap-geoip addresses DB COUNT SEED   print COUNT random addresses of either IP version:
                                              IPv4 ones anywhere, IPv6 ones in the DB's networks
       iommap-geoip bench DB FILE             look up the addresses in FILE and print, as JSON,
                                              how many a second of either IP version";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["addresses", database, count, seed] => {
            addresses(Path::new(database), count.parse()?, seed.parse()?)
        }
        ["bench", database, file] => bench(Path::new(database), Path::new(file)),
        _ => bail!(USAGE),
    }
}

fn addresses(database: &Path, count: usize, seed: u64) -> Result<()> {
    let mut edges = Reference::open(database)?.edges()?;
    edges.retain(|(first, _)| first.is_ipv6());
    let mut random = Rng::with_seed(seed);
    let mut out = BufWriter::new(stdout().lock());
    for _ in 0..count {
        writeln!(out, "{}", random::ipv4(&mut random))?;
    }
    for _ in 0..count {
        writeln!(out, "{}", random::within(&mut random, &edges))?;
    }
    Ok(out.flush()?)
}

fn bench(database: &Path, file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
    let addresses: Vec<IpAddr> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    let reference = Reference::open(database)?;
    for (version, addresses) in [(4, ipv4), (6, ipv6)] {
        // Once without the clock, as the guest does.
        countries(&reference, &addresses)?;
        let start = Instant::now();
        let countries = countries(&reference, &addresses)?;
        let seconds = start.elapsed().as_secs_f64();
        let line = serde_json::json!({
            "ip_version": version,
            "lookups": addresses.len(),
            "countries": countries,
            "seconds": seconds,
            "per_second": addresses.len() as f64 / seconds,
        });
        println!("{line}");
    }
    Ok(())
}

/// How many of the addresses have a country.
fn countries(reference: &Reference, addresses: &[IpAddr]) -> Result<usize> {
    let mut found = 0;
    for &address in addresses {
        if let Some(country) = reference.country(address)? {
            found += usize::from(black_box(country.country_code).len() == 2);
        }
    }
    Ok(found)
}
