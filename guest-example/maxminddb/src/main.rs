//! Looks IP addresses up by the crate `maxminddb` as it is on crates.io, which maps its database by
//! `memmap2`: in a component, and natively.

use maxminddb::Reader;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mmap-geoip: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let database =
        args.next().ok_or("usage: mmap-geoip DB (--bench N [SEED] | ADDRESS... | < ADDRESSES)")?;
    // SAFETY: databases are replaced by renaming, and never written or cut.
    let reader = unsafe { Reader::open_mmap(&database) }?;
    let rest: Vec<String> = args.collect();
    match rest.first().map(String::as_str) {
        Some("--bench") => {
            let number = |at: usize| rest.get(at).map(|number| number.parse::<u64>()).transpose();
            bench(&reader, number(1)?.unwrap_or(100_000) as usize, number(2)?.unwrap_or(1))
        }
        Some(_) => rest.iter().try_for_each(|address| say(&reader, address)),
        None => std::io::stdin().lines().try_for_each(|line| say(&reader, line?.trim())),
    }
}

fn say<S: AsRef<[u8]>>(reader: &Reader<S>, address: &str) -> Result<()> {
    let address = address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
    let answer = answer(reader, address)?;
    believe()?;
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

/// Was all that was read in the file? `maxminddb` reads a slice, and where a page was lost, zeros.
/// Elsewhere a lost page is a signal.
fn believe() -> Result<()> {
    #[cfg(target_arch = "wasm32")]
    if iommap_guest::lost() {
        return Err("the database was cut short while it was being read".into());
    }
    Ok(())
}

/// One answer as a line, all that there is of it.
fn answer<S: AsRef<[u8]>>(reader: &Reader<S>, address: IpAddr) -> Result<String> {
    let found = reader.lookup(address)?;
    let record: Option<serde_json::Value> = found.decode()?;
    let record = record.map_or("-".into(), |record| record.to_string());
    Ok(format!("{address}\t{}\t{record}", found.network()?))
}

/// Looks up random addresses: how many a second, and a sum over all answers to compare them by.
fn bench<S: AsRef<[u8]>>(reader: &Reader<S>, count: usize, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let ipv4: Vec<IpAddr> =
        (0..count).map(|_| Ipv4Addr::from_bits(random.u32(..)).into()).collect();
    // In 2000::/3, which the registries hand networks out of.
    let ipv6: Vec<IpAddr> =
        (0..count).map(|_| Ipv6Addr::from_bits(random.u128(..) >> 3 | 1 << 125).into()).collect();
    for (version, addresses) in [(4, &ipv4), (6, &ipv6)] {
        let mut all = 0xcbf2_9ce4_8422_2325_u64;
        for address in addresses {
            for byte in answer(reader, *address)?.bytes() {
                all = (all ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            for address in addresses {
                black_box(reader.lookup(*address)?.offset());
            }
            best = best.min(start.elapsed().as_secs_f64());
        }
        believe()?;
        let rate = count as f64 / best.max(1e-9);
        println!("IPv{version}: {rate:.0} lookups a second; {count} answers, {all:016x}");
    }
    Ok(())
}
