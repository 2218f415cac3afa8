//! The same without wasm, over a map of the file, with the same sums.

use super::guest::PATHS;
use memmap2::{Advice, Mmap};
use mmdb::{Bytes, Cache, Database, Value};
use std::fs::File;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use wasmtime::{Result, format_err};

/// How many records are kept decoded.
pub(super) const RECORDS: usize = 64 << 10;

pub(super) struct Native(Mmap);

impl Native {
    pub(super) fn new(path: &Path) -> Result<Native> {
        // SAFETY: nobody changes the file as long as this is used.
        let map = unsafe { Mmap::map(&File::open(path)?) }?;
        map.advise(Advice::PopulateRead)?;
        Ok(Native(map))
    }

    pub(super) fn load(&self, mask: u64, count: u32, seed: u64) -> u64 {
        let (map, mut x) = (&self.0[..], seed);
        assert!(mask as usize + 8 <= map.len());
        let mask = black_box(mask);
        (0..count).fold(0, |sum, _| {
            // SAFETY: `mask` keeps it inside.
            let word = unsafe {
                map.as_ptr().add((next(&mut x) & mask) as usize).cast::<u64>().read_unaligned()
            };
            sum.wrapping_add(word)
        })
    }

    pub(super) fn copy(&self, mask: u64, count: u32, seed: u64) -> u64 {
        let (map, mut x, mut buffer) = (&self.0[..], seed, [0; 64]);
        assert!(mask as usize + 64 <= map.len());
        let mask = black_box(mask);
        (0..count).fold(0, |sum, _| {
            let from = map.as_ptr().wrapping_add((next(&mut x) & mask) as usize);
            // SAFETY: `mask` keeps it inside, and the buffer is elsewhere.
            unsafe { from.copy_to_nonoverlapping(buffer.as_mut_ptr(), 64) };
            sum.wrapping_add(words(black_box(&buffer)))
        })
    }

    pub(super) fn pass(&self, count: u32) -> u64 {
        (0..count).fold(0, |sum, _| sum.wrapping_add(words(black_box(&self.0))))
    }

    /// Opens it as a database.
    pub(super) fn database(&self) -> Result<Database<Bytes<&[u8]>>> {
        Database::open(Bytes(&self.0[..])).map_err(|error| format_err!("no database: {error}"))
    }
}

/// Looks up the countries of addresses at random, and returns how many have one.
pub(super) fn lookups(
    database: &Database<Bytes<&[u8]>>,
    cache: &mut Cache,
    count: u32,
    mut x: u64,
) -> Result<u64> {
    let damaged = |error| format_err!("a damaged database: {error}");
    let mut found = 0;
    for _ in 0..count {
        let address = IpAddr::V4(Ipv4Addr::from_bits((next(&mut x) >> 16) as u32));
        if let Some(record) = database.lookup(address).map_err(damaged)?.record {
            let record = cache.value(database, record).map_err(damaged)?;
            let country = PATHS.iter().find_map(|path| record.at(path)).and_then(Value::as_str);
            found += u64::from(black_box(country).is_some());
        }
    }
    Ok(found)
}

/// Makes the next offset, as the guest does.
#[inline(always)]
fn next(x: &mut u64) -> u64 {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    *x
}

/// The sum of all whole words.
fn words(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; 4];
    // Unrolled: a pass is to wait for memory, not for the loop.
    let (pieces, rest) = bytes.as_chunks::<128>();
    for piece in pieces {
        for part in piece.as_chunks::<32>().0 {
            for (sum, word) in sums.iter_mut().zip(part.as_chunks::<8>().0) {
                *sum = sum.wrapping_add(u64::from_le_bytes(*word));
            }
        }
    }
    let (rest, _) = rest.as_chunks::<8>();
    let rest = rest.iter().map(|word| u64::from_le_bytes(*word));
    sums.into_iter().chain(rest).fold(0, u64::wrapping_add)
}
