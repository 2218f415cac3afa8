use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use super::*;
use crate::make::Maker;
use crate::{Bytes, Cache, PastTheEnd};

const VERSIONS_AND_SIZES: [(u16, u16); 6] = [(4, 24), (4, 28), (4, 32), (6, 24), (6, 28), (6, 32)];

fn named(name: &str) -> Value {
    Value::Map(vec![("country_code".into(), Value::String(name.into()))])
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// An address, most often of a network that [`random`] makes.
fn address(version: u16, numbers: &mut Rng) -> IpAddr {
    if version == 4 || numbers.u8(..3) == 0 {
        return Ipv4Addr::from_bits(numbers.u32(..)).into();
    }
    let bits = numbers.u128(..);
    let wide = 0x2000 << 112 | bits >> [3, 16, 33][numbers.usize(..3)];
    Ipv6Addr::from_bits(if numbers.u8(..4) == 0 { bits } else { wide }).into()
}

/// A database with many networks, the later ones over the earlier, and these networks.
fn random(version: u16, size: u16, numbers: &mut Rng) -> (Vec<u8>, Vec<(Network, String)>) {
    let mut maker = Maker::new(version, size);
    let mut networks = Vec::new();
    for _ in 0..400 {
        let address = address(version, numbers);
        let prefix = match address {
            IpAddr::V4(_) => numbers.u8(1..=32),
            IpAddr::V6(_) => numbers.u8(1..=128),
        };
        let network = Network::of(address, prefix);
        let name = format!("{:03}", numbers.u16(..300));
        maker = maker.network(&network.to_string(), &named(&name));
        networks.push((network, name));
    }
    (maker.make(), networks)
}

/// What the networks say of an address: the last one that it is in. Those of IPv4 lie in `::/96`.
fn expected(networks: &[(Network, String)], address: IpAddr) -> Option<&str> {
    let wide = |address: IpAddr, prefix: u8| match address {
        IpAddr::V4(address) => (IpAddr::V6(address.to_ipv6_compatible()), prefix + 96),
        IpAddr::V6(_) => (address, prefix),
    };
    let (address, _) = wide(address, 0);
    let holds = |network: &Network| {
        let (first, prefix) = wide(network.address, network.prefix);
        Network::of(address, prefix).address == first
    };
    networks.iter().rev().find(|(network, _)| holds(network)).map(|(_, name)| &**name)
}

#[test]
fn every_address_has_the_record_of_its_network() {
    let mut numbers = Rng::with_seed(7);
    for (version, size) in VERSIONS_AND_SIZES {
        let (file, networks) = random(version, size, &mut numbers);
        let mut database = Database::open(Bytes(&file)).unwrap();
        let mut cache = Cache::new(64);
        for kept in [0, 1, 2, 100, 100_000] {
            database.keep(kept).unwrap();
            let mut addresses: Vec<_> = networks.iter().map(|(first, _)| first.address).collect();
            addresses.extend((0..400).map(|_| address(version, &mut numbers)));
            let mut answers = Vec::new();
            database.lookup_many(&addresses, &mut answers).unwrap();
            assert_eq!(answers.len(), addresses.len());
            for (address, answer) in addresses.into_iter().zip(answers) {
                assert_eq!(database.lookup(address), Ok(answer), "{address}, {kept} kept");
                let value = answer.record.map(|record| database.value(record).unwrap());
                let name = value.as_ref().map(|value| value.get("country_code").unwrap());
                let name = name.and_then(Value::as_str);
                assert_eq!(name, expected(&networks, address), "{address}, {kept} kept");
                if let Some(record) = answer.record {
                    assert_eq!(cache.value(&database, record).unwrap(), &value.unwrap());
                }
                // The whole network has the answer, and it has it itself.
                assert_eq!(
                    Network::of(address, answer.network.prefix).address,
                    answer.network.address
                );
                assert_eq!(database.lookup(answer.network.address), Ok(answer), "{address}");
            }
        }
    }
}

#[test]
fn networks_are_of_the_version_that_was_asked_for() {
    let file = Maker::new(6, 28)
        .network("10.1.0.0/16", &named("A"))
        .network("2001:db8::/32", &named("B"))
        .make();
    let database = Database::open(Bytes(file)).unwrap();
    let network = |address| database.lookup(ip(address)).unwrap().network.to_string();
    assert_eq!(network("10.1.2.3"), "10.1.0.0/16");
    assert_eq!(network("::10.1.2.3"), "::a01:0/112");
    assert_eq!(network("2001:db8::1"), "2001:db8::/32");
    // Nothing is there, as far as the nearest network.
    assert_eq!(network("192.0.2.1"), "128.0.0.0/1");
    assert_eq!(network("fe80::"), "8000::/1");
}

#[test]
fn an_ipv4_address_in_a_network_wider_than_all_of_ipv4_has_its_record() {
    let file = Maker::new(6, 24).network("::/20", &named("W")).make();
    let database = Database::open(Bytes(file)).unwrap();
    let answer = database.lookup(ip("192.0.2.1")).unwrap();
    assert_eq!(answer.network.to_string(), "::/20");
    assert_eq!(database.value(answer.record.unwrap()), Ok(named("W")));
}

#[test]
fn a_database_of_ipv4_says_that_it_has_no_ipv6() {
    let file = Maker::new(4, 24).network("10.0.0.0/8", &named("A")).make();
    let database = Database::open(Bytes(file)).unwrap();
    assert_eq!(database.lookup(ip("::1")), Err(Error::NoIpv6));
    assert_eq!(database.lookup(ip("10.0.0.1")).unwrap().network.to_string(), "10.0.0.0/8");
}

#[test]
fn the_metadata_is_told() {
    let file = Maker::new(6, 28).network("10.0.0.0/8", &named("A")).make();
    let database = Database::open(Bytes(file)).unwrap();
    let metadata = database.metadata();
    assert_eq!((metadata.ip_version, metadata.record_size), (6, 28));
    assert_eq!(metadata.node_count, 96 + 8);
    assert_eq!(metadata.database_type, "Made");
    assert_eq!(metadata.build_epoch, 1_700_000_000);
    assert_eq!(metadata.all.get("binary_format_minor_version"), Some(&Value::U16(0)));
}

#[test]
fn what_is_no_database_is_told_from_one() {
    let open = |bytes: &[u8]| Database::open(Bytes(bytes.to_vec())).map(drop);
    assert_eq!(open(b""), Err(Error::NotADatabase));
    assert_eq!(open(&[0; 5_000]), Err(Error::NotADatabase));
    let file = Maker::new(6, 24).network("10.0.0.0/8", &named("A")).make();
    // Cut from behind, the metadata is not whole; from the front, the tree isn't.
    for cut in 1..file.len() {
        assert!(open(&file[..cut]).is_err(), "the first {cut} bytes");
    }
    assert!(matches!(open(&file[file.len() - 300..]), Err(Error::Invalid { .. })));

    let with = |from: &[u8], to: &[u8]| {
        let at = file.windows(from.len()).position(|bytes| bytes == from).unwrap();
        open(&[&file[..at], to, &file[at + from.len()..]].concat())
    };
    let version = with(b"major_version\xa1\x02", b"major_version\xa1\x03");
    assert_eq!(version, Err(Error::Unsupported { what: "format version", value: 3 }));
    let size = with(b"record_size\xa1\x18", b"record_size\xa1\x19");
    assert_eq!(size, Err(Error::Unsupported { what: "record size", value: 25 }));
    let ip = with(b"ip_version\xa1\x06", b"ip_version\xa1\x05");
    assert_eq!(ip, Err(Error::Unsupported { what: "IP version", value: 5 }));
}

#[test]
fn a_tree_that_never_ends_does_end() {
    for size in [24, 28, 32] {
        let file = Maker::new(6, size).network("10.0.0.0/8", &named("A")).make();
        // Every record of the tree leads to its root.
        let tree = (96 + 8) * usize::from(size) / 4;
        let circle = [&vec![0; tree][..], &file[tree..]].concat();
        let mut database = Database::open(Bytes(circle)).unwrap();
        for kept in [0, 1, 2, 1_000] {
            database.keep(kept).unwrap();
            for address in ["10.0.0.1", "2001:db8::1"] {
                let error = database.lookup(ip(address)).unwrap_err();
                assert!(matches!(error, Error::Tree { .. }), "{error:?}");
                let many = database.lookup_many(&[ip(address)], &mut Vec::new());
                assert_eq!(many, Err(error));
            }
        }
    }
}

#[test]
fn a_damaged_file_does_no_harm() {
    let mut numbers = Rng::with_seed(11);
    for (version, size) in VERSIONS_AND_SIZES {
        let (file, _) = random(version, size, &mut numbers);
        let (mut answers, mut errors) = (0, 0);
        for _ in 0..150 {
            let mut damaged = file.clone();
            for _ in 0..numbers.usize(1..=40) {
                // The end has more to damage than its length says.
                let reach = [file.len(), 400][numbers.usize(..2)];
                let at = file.len() - 1 - numbers.usize(..reach);
                damaged[at] = [0, 0xff, numbers.u8(..)][numbers.usize(..3)];
            }
            let Ok(mut database) = Database::open(Bytes(damaged)) else {
                errors += 1;
                continue;
            };
            for kept in [0, 50] {
                let _ = database.keep(kept);
                for _ in 0..20 {
                    let address = address(database.metadata().ip_version.into(), &mut numbers);
                    let looked_up = database.lookup(address);
                    let mut many = Vec::new();
                    let batch = database.lookup_many(&[address], &mut many).map(|()| many[0]);
                    assert_eq!(looked_up, batch);
                    match looked_up.map(|answer| answer.record.map(|at| database.value(at))) {
                        Ok(None | Some(Ok(_))) => answers += 1,
                        Ok(Some(Err(_))) | Err(_) => errors += 1,
                    }
                }
            }
        }
        assert!(answers > 0 && errors > 0, "{answers} answers, {errors} errors");
    }
}

/// Counts the calls.
struct Counted(Vec<u8>, Cell<u32>);

impl Source for Counted {
    type Error = PastTheEnd;

    fn len(&self) -> Result<u64, PastTheEnd> {
        Bytes(&self.0).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), PastTheEnd> {
        self.1.update(|calls| calls + 1);
        Bytes(&self.0).read_at(offset, buffer)
    }

    fn read_many(&self, offsets: &[u64], buffer: &mut [u8]) -> Result<(), PastTheEnd> {
        self.1.update(|calls| calls + 1);
        Bytes(&self.0).read_many(offsets, buffer)
    }
}

#[test]
fn few_reads_do() {
    let mut numbers = Rng::with_seed(3);
    let (file, networks) = random(6, 24, &mut numbers);
    let near = Database::open(Bytes(file.clone())).unwrap();
    let mut database = Database::open(Counted(file, Cell::new(0))).unwrap();
    let calls = |database: &Database<Counted>| database.source().1.take();
    assert!(calls(&database) <= 1 + 2 + 96 / 10 + 1, "metadata, and the path to IPv4");

    let addresses: Vec<_> = networks.iter().map(|(first, _)| first.address).collect();
    let mut deepest = 0;
    for &address in &addresses {
        assert_eq!(database.lookup(address).unwrap(), near.lookup(address).unwrap());
        deepest = deepest.max(calls(&database));
    }
    database.lookup_many(&addresses, &mut Vec::new()).unwrap();
    assert_eq!(calls(&database), deepest, "as many for all as for the deepest");

    database.keep(1 << 20).unwrap();
    calls(&database);
    database.lookup_many(&addresses, &mut Vec::new()).unwrap();
    assert_eq!(calls(&database), 0, "none, once all of the tree is kept");
}
