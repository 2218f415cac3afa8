//! How many lookups a second.
//!
//! Each lookup goes to the record and takes the country's code out of it. The addresses are there
//! before the clock starts, and the tree's upper nodes are kept: what that took is said as well.

use crate::database::{Failure, Mapped, damaged, lines, written};
use crate::lookups::{BATCH, KEPT, RECORDS};
use crate::options::{Addresses, Bench, Options};
use mmdb::{Cache, Error, Value};
use std::hint::black_box;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Where databases have the country's code.
const PATHS: [&[&str]; 3] =
    [&["country_code"], &["country", "iso_code"], &["registered_country", "iso_code"]];

/// How many addresses pass between two looks at the clock. A multiple of the batch.
const ROUND: usize = 64 * BATCH;

/// What was measured.
struct Rate {
    version: u8,
    /// How many addresses go into a call.
    batch: usize,
    lookups: usize,
    /// How many of them have a country.
    countries: u64,
    took: Duration,
}

/// Measures either IP version, one address at a time and many.
pub(crate) fn run(database: &mut Mapped, options: &Options, bench: &Bench) -> Result<(), Failure> {
    let failure = |error| damaged(&options.database, &error);
    let ipv6 = database.metadata().ip_version == 6;
    let addresses = addresses(options, bench)?;
    let start = Instant::now();
    database.keep(KEPT).map_err(failure)?;
    let kept = start.elapsed();

    let mut rates = Vec::new();
    for (version, addresses) in [(4, &addresses.0), (6, &addresses.1)] {
        if addresses.is_empty() || (version == 6 && !ipv6) {
            continue;
        }
        // Once without the clock: pages that nobody touched yet cost more than any lookup.
        measure(database, version, 1, addresses).map_err(failure)?;
        for batch in [1, BATCH] {
            rates.push(measure(database, version, batch, addresses).map_err(failure)?);
        }
    }
    let window = database.source().has_window();
    print(&rates, kept, window, options.json).map_err(written)
}

/// The addresses to look up, by IP version: those of a file, or as many random ones of either.
fn addresses(options: &Options, bench: &Bench) -> Result<(Vec<IpAddr>, Vec<IpAddr>), Failure> {
    let Addresses::In(file) = &options.addresses else {
        let mut random = fastrand::Rng::with_seed(bench.seed);
        let ipv4 = (0..bench.count).map(|_| Ipv4Addr::from_bits(random.u32(..)).into()).collect();
        // In 2000::/3, which the registries hand networks out of.
        let ipv6 = (0..bench.count).map(|_| (random.u128(..) >> 3) | (1 << 125));
        return Ok((ipv4, ipv6.map(|bits| Ipv6Addr::from_bits(bits).into()).collect()));
    };
    let mut both = (Vec::new(), Vec::new());
    for (line, number) in io::BufRead::lines(lines(file)?).zip(1u64..).take(bench.count) {
        let line = line.map_err(|error| format!("{file}: {error}"))?;
        match line.trim().parse() {
            Ok(address @ IpAddr::V4(_)) => both.0.push(address),
            Ok(address @ IpAddr::V6(_)) => both.1.push(address),
            Err(_) => return Err(format!("{file}:{number}: not an IP address")),
        }
    }
    Ok(both)
}

fn measure(
    database: &Mapped,
    version: u8,
    batch: usize,
    addresses: &[IpAddr],
) -> Result<Rate, Error<iommap_guest::Error>> {
    let mut cache = Cache::new(RECORDS);
    let (mut countries, mut took) = (0, Duration::ZERO);
    let mut answers = Vec::with_capacity(batch);
    for round in addresses.chunks(ROUND) {
        let start = Instant::now();
        for batch in round.chunks(batch) {
            answers.clear();
            match batch {
                [address] => answers.push(database.lookup(*address)?),
                _ => database.lookup_many(batch, &mut answers)?,
            }
            for record in answers.iter().filter_map(|answer| answer.record) {
                let country = country(cache.value(database, record)?);
                countries += u64::from(black_box(country).is_some());
            }
        }
        took += start.elapsed();
    }
    Ok(Rate { version, batch, lookups: addresses.len(), countries, took })
}

fn country(record: &Value) -> Option<&str> {
    PATHS.iter().find_map(|path| record.at(path)).and_then(Value::as_str)
}

fn print(rates: &[Rate], kept: Duration, window: bool, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for Rate { version, batch, lookups, countries, took } in rates {
        let per_second = *lookups as f64 / took.as_secs_f64().max(1e-9);
        if json {
            let line = serde_json::json!({
                "ip_version": version,
                "batch": batch,
                "window": window,
                "lookups": lookups,
                "countries": countries,
                "seconds": took.as_secs_f64(),
                "per_second": per_second,
            });
            writeln!(out, "{line}")?;
        } else {
            let how = if *batch == 1 { "one".into() } else { batch.to_string() };
            writeln!(
                out,
                "IPv{version}, {how:>3} at a time: {per_second:>10.0} lookups a second \
                 ({lookups} in {:.3} s, {countries} with a country)",
                took.as_secs_f64()
            )?;
        }
    }
    if !json {
        let ms = kept.as_secs_f64() * 1e3;
        let how = if window { "through a window" } else { "by calls" };
        writeln!(
            out,
            "{how}; before that, {ms:.1} ms to read the {KEPT} uppermost nodes of each tree"
        )?;
    }
    out.flush()
}
