//! The library of the guests, `mmdb`, and the crate `maxminddb` on the same made files: every
//! record size, both IP versions, every type.

use std::net::IpAddr;

use fastrand::Rng;
use iommap_geoip::random;
use mmdb::{Bytes, Database, Value, make::Maker};

const VERSIONS_AND_SIZES: [(u16, u16); 6] = [(4, 24), (4, 28), (4, 32), (6, 24), (6, 28), (6, 32)];

/// One of every type that JSON has a word for.
fn record(number: u64) -> Value {
    let names =
        ["en", "de", "日本"].map(|name| (name.into(), Value::String(format!("{name}{number}"))));
    let entries = [
        ("names", Value::Map(names.into())),
        ("long", Value::String("x".repeat(number as usize % 400))),
        ("u16", Value::U16(number as u16)),
        ("u32", Value::U32(number as u32)),
        ("u64", Value::U64(number << 40)),
        ("i32", Value::I32(-(number as i32))),
        ("double", Value::Double(number as f64 / 3.0)),
        ("float", Value::Float(number as f32 / 4.0)),
        ("list", Value::Array(vec![Value::Bool(true), Value::Bool(false), Value::Map(vec![])])),
    ];
    Value::Map(entries.map(|(name, value)| (name.into(), value)).into())
}

#[test]
fn maxminddb_agrees_on_random_addresses_in_made_databases() {
    let mut random = Rng::with_seed(3);
    for (version, size) in VERSIONS_AND_SIZES {
        let mut maker = Maker::new(version, size);
        let mut ranges = Vec::new();
        for number in 0..500 {
            let (address, prefix) = match if version == 4 { 0 } else { number % 2 } {
                0 => (random::ipv4(&mut random), 8 + number % 25),
                _ => (random::ipv6(&mut random), 20 + number % 109),
            };
            let network = mmdb::Network::of(address, prefix as u8);
            ranges.push((network.address, address));
            maker = maker.network(&network.to_string(), &record(number));
        }
        let file = maker.make();
        let theirs = maxminddb::Reader::from_source(&file).unwrap();
        theirs.verify().unwrap();
        let mut ours = Database::open(Bytes(&file)).unwrap();
        for kept in [0, 200] {
            ours.keep(kept).unwrap();
            let mut records = 0;
            for number in 0..4_000 {
                let address: IpAddr = match number % 4 {
                    0 => random::ipv4(&mut random),
                    1 if version == 6 => random::ipv6(&mut random),
                    _ => random::within(&mut random, &ranges),
                };
                let (found, expected) =
                    (ours.lookup(address).unwrap(), theirs.lookup(address).unwrap());
                assert_eq!(found.network.to_string(), expected.network().unwrap().to_string());
                let value = found.record.map(|record| ours.value(record).unwrap());
                let value = value.map(|value| serde_json::to_value(value).unwrap());
                let expected: Option<serde_json::Value> = expected.decode().unwrap();
                records += usize::from(expected.is_some());
                assert_eq!(value, expected, "{address}, record size {size}");
            }
            assert!(records > 1_000, "{records}");
        }
    }
}
