//! Lookups of addresses in a database of countries.

use super::guest::Task;
use super::native::{self, Native};
use super::turns::{measure, way};
use super::{Measured, Setting, nanoseconds, rows};
use crate::goals::Bound;
use crate::offsets::scrambled;
use mmdb::make::Maker;
use mmdb::{Cache, Value};
use std::cell::RefCell;
use std::fs;
use wasmtime::{Result, ensure};

/// The file's name.
const NAME: &str = "countries.mmdb";

/// How many networks are made, and in how many countries.
const NETWORKS: u64 = 100_000;
const COUNTRIES: u64 = 240;

/// Of so many addresses at random, most have to have a country.
const SAMPLE: u32 = 1000;

pub(super) fn lookups(setting: Setting<'_>, measured: &mut Measured) -> Result<()> {
    let names = ["native, the same code over a map", "guest, a window", "guest, calls"];
    let path = setting.dir.join(NAME);
    let title = match setting.database {
        Some(database) => {
            fs::copy(database, &path)?;
            "Windows: looking an address up in a real database, ns"
        }
        None => {
            fs::write(&path, made())?;
            "Windows: looking an address up in a made database, ns"
        }
    };
    let map = Native::new(&path)?;
    let database = map.database()?;
    // Of another version's addresses a database answers with its first node: nothing to measure.
    let found = native::lookups(&database, &mut Cache::new(native::RECORDS), SAMPLE, scrambled(7))?;
    ensure!(
        found > u64::from(SAMPLE / 2),
        "{title}: only {found} of {SAMPLE} addresses have a country"
    );
    let mut guest = setting.guest()?;
    guest.open_database(NAME)?;
    let guest = &RefCell::new(guest);
    let run = |task| move |count, seed| guest.borrow_mut().run(task, count, 0, 0, seed);
    // What is decoded stays, as in the guest.
    let mut cache = Cache::new(native::RECORDS);
    let mut ways = [
        way(names[0], |count, seed| native::lookups(&database, &mut cache, count, seed)),
        way(names[1], run(Task::Lookup)),
        way(names[2], run(Task::PreadLookup)),
    ];
    let times = measure(&mut ways, setting.effort)?;
    let value = times[1].median / times[0].median;
    measured.table(title, &["a lookup"], rows(&names, &[times], nanoseconds));
    let what = "windows: GeoIP lookups: times the same code native";
    measured.goal(what, Bound::AtMost(1.3), value);
    Ok(())
}

/// Networks of 16 to 24 bits.
fn made() -> Vec<u8> {
    let mut maker = Maker::new(4, 24);
    for index in 0..NETWORKS {
        let random = scrambled(index);
        let prefix = 16 + random % 9;
        let address =
            std::net::Ipv4Addr::from_bits((random >> 32) as u32 >> (32 - prefix) << (32 - prefix));
        let country = (random >> 8) % COUNTRIES;
        let letter = |number: u64| char::from(b'A' + (number % 26) as u8);
        let code = [letter(country / 26), letter(country)].iter().collect();
        let record = Value::Map(vec![("country_code".into(), Value::String(code))]);
        maker = maker.network(&format!("{address}/{prefix}"), &record);
    }
    maker.make()
}
