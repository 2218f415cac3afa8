//! Lookups of addresses that somebody has.

use crate::database::{CUT, Failure, Mapped, damaged, last, written};
use crate::options::Options;
use crate::output;
use mmdb::{Answer, Cache, Error};
use std::io::{self, BufRead, BufWriter, Read, StdoutLock, Write};
use std::net::IpAddr;

/// How many of the tree's nodes are kept in memory, for many lookups.
pub(crate) const KEPT: usize = 16 << 10;

/// How many addresses are looked up at a time.
pub(crate) const BATCH: usize = 256;

/// How many records are kept decoded. There are some hundred countries.
pub(crate) const RECORDS: usize = 1024;

/// Longer than any line with an address, in bytes.
const LONGEST: u64 = 1 << 10;

/// Looks addresses up and prints the answers in their order.
pub(crate) struct Lookups<'a> {
    database: &'a Mapped,
    name: &'a str,
    /// The file's last bytes before the first lookup.
    end: [u8; 16],
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
    cache: Cache,
    /// Those that wait for the others of their batch, and answers.
    waiting: Vec<IpAddr>,
    answers: Vec<Answer>,
    /// Whether one of them was no address.
    failed: bool,
}

impl<'a> Lookups<'a> {
    pub(crate) fn new(database: &'a Mapped, options: &'a Options) -> Result<Lookups<'a>, Failure> {
        Ok(Lookups {
            database,
            name: &options.database,
            end: last(database, &options.database)?,
            json: options.json,
            out: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            cache: Cache::new(RECORDS),
            waiting: Vec::with_capacity(BATCH),
            answers: Vec::with_capacity(BATCH),
            failed: false,
        })
    }

    /// Looks up what is in each line of a file of this name.
    pub(crate) fn read(&mut self, lines: &mut dyn BufRead, file: &str) -> Result<(), Failure> {
        let mut line = Vec::new();
        for number in 1u64.. {
            line.clear();
            // What has no line ends is not read to its end.
            lines
                .take(LONGEST)
                .read_until(b'\n', &mut line)
                .map_err(|error| format!("{file}: {error}"))?;
            if line.is_empty() {
                break;
            }
            if line.len() as u64 == LONGEST {
                return Err(format!("{file}:{number}: the line is too long for an address"));
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                self.add(&String::from_utf8_lossy(text), &format!("{file}:{number}: "))?;
            }
        }
        Ok(())
    }

    /// Looks up one address, now or with others that come. `place` is said first if it is none.
    pub(crate) fn add(&mut self, text: &str, place: &str) -> Result<(), Failure> {
        let complaint = match text.parse() {
            Ok(IpAddr::V6(_)) if self.database.metadata().ip_version == 4 => {
                Error::<iommap_guest::Error>::NoIpv6.to_string()
            }
            Ok(address) => {
                self.waiting.push(address);
                return if self.waiting.len() < BATCH { Ok(()) } else { self.look_up() };
            }
            Err(_) => "not an IP address".into(),
        };
        // What comes before it is printed before it, also where both go to the same place.
        self.look_up()?;
        self.out.flush().map_err(written)?;
        eprintln!("geoip: {place}{text:?}: {complaint}");
        self.failed = true;
        Ok(())
    }

    /// Looks up what is still waiting, and tells whether there were only addresses.
    pub(crate) fn finish(mut self) -> Result<bool, Failure> {
        self.look_up()?;
        self.out.flush().map_err(written)?;
        Ok(!self.failed)
    }

    fn look_up(&mut self) -> Result<(), Failure> {
        let damaged = |error| damaged(self.name, &error);
        self.answers.clear();
        self.database.lookup_many(&self.waiting, &mut self.answers).map_err(damaged)?;
        let mut said = Vec::new();
        for (&address, answer) in self.waiting.iter().zip(&self.answers) {
            let record = match answer.record {
                Some(record) => Some(self.cache.value(self.database, record).map_err(damaged)?),
                None => None,
            };
            output::answer(&mut said, self.json, address, answer, record).map_err(written)?;
        }
        // Only now is it known that all of it was in the file.
        if last(self.database, self.name)? != self.end {
            return Err(format!("{}: {CUT}", self.name));
        }
        self.out.write_all(&said).map_err(written)?;
        self.waiting.clear();
        Ok(())
    }
}
