//! Makes small databases, for tests and examples.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::Value;

/// A database in the making.
///
/// Networks that are added later lie over those that were added before.
#[derive(Clone, Debug)]
pub struct Maker {
    ip_version: u16,
    record_size: u16,
    /// Each node has a branch for 0 and one for 1.
    nodes: Vec<[Branch; 2]>,
    /// The records, back to back, and where each one is, by its bytes.
    data: Vec<u8>,
    places: HashMap<Vec<u8>, u32>,
}

#[derive(Clone, Copy, Debug)]
enum Branch {
    Nothing,
    Node(usize),
    Record(u32),
}

impl Maker {
    /// Begins one for an IP version (4 or 6) and a record size in bits (24, 28 or 32).
    ///
    /// # Panics
    ///
    /// If there is no such version or size.
    pub fn new(ip_version: u16, record_size: u16) -> Maker {
        assert!([4, 6].contains(&ip_version), "IP version {ip_version}");
        assert!([24, 28, 32].contains(&record_size), "record size {record_size}");
        let nodes = vec![[Branch::Nothing; 2]];
        Maker { ip_version, record_size, nodes, data: Vec::new(), places: HashMap::new() }
    }

    /// Adds a network, such as `192.0.2.0/24`, and its record.
    ///
    /// # Panics
    ///
    /// If it is not a network of the database's IP version, or the whole of it.
    #[must_use]
    pub fn network(mut self, network: &str, record: &Value) -> Maker {
        let (address, prefix) = network.split_once('/').expect("an address and a prefix");
        let prefix: u32 = prefix.parse().expect("a prefix");
        let (bits, length) = match (address.parse().expect("an address"), self.ip_version) {
            (IpAddr::V4(address), 4) => (u128::from(address.to_bits()) << 96, prefix),
            (IpAddr::V4(address), _) => (address.to_bits().into(), prefix + 96),
            (IpAddr::V6(_), 4) => panic!("{network} in a database of IPv4 addresses"),
            (IpAddr::V6(address), _) => (address.to_bits(), prefix),
        };
        assert!((1..=128).contains(&length), "{network}");

        let mut bytes = Vec::new();
        encode(record, &mut bytes);
        let place = *self.places.entry(bytes).or_insert_with_key(|bytes| {
            let place = self.data.len() as u32;
            self.data.extend(bytes);
            place
        });
        let bit = |depth: u32| (bits >> (127 - depth)) as usize & 1;
        let mut node = 0;
        for depth in 0..length - 1 {
            node = match self.nodes[node][bit(depth)] {
                Branch::Node(next) => next,
                // What was said of all of it is said of both halves.
                whole => {
                    let next = self.nodes.len();
                    self.nodes.push([whole; 2]);
                    self.nodes[node][bit(depth)] = Branch::Node(next);
                    next
                }
            };
        }
        self.nodes[node][bit(length - 1)] = Branch::Record(place);
        self
    }

    /// The bytes of the file.
    pub fn make(&self) -> Vec<u8> {
        let count = self.nodes.len() as u32;
        let mut file = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|branch| match branch {
                Branch::Nothing => count,
                Branch::Node(index) => index as u32,
                Branch::Record(place) => count + 16 + place,
            });
            let ([l, a, b, c], [r, d, e, f]) = (left.to_be_bytes(), right.to_be_bytes());
            match self.record_size {
                24 => file.extend([a, b, c, d, e, f]),
                28 => file.extend([a, b, c, l << 4 | r, d, e, f]),
                _ => file.extend([l, a, b, c, r, d, e, f]),
            }
        }
        file.extend([0; 16]);
        file.extend(&self.data);
        file.extend(b"\xab\xcd\xefMaxMind.com");
        let entry = |name: &str, value| (name.to_owned(), value);
        let metadata = Value::Map(vec![
            entry("binary_format_major_version", Value::U16(2)),
            entry("binary_format_minor_version", Value::U16(0)),
            entry("build_epoch", Value::U64(1_700_000_000)),
            entry("database_type", Value::String("Made".into())),
            entry("description", Value::Map(vec![entry("en", Value::String("Made".into()))])),
            entry("ip_version", Value::U16(self.ip_version)),
            entry("languages", Value::Array(vec![])),
            entry("node_count", Value::U32(count)),
            entry("record_size", Value::U16(self.record_size)),
        ]);
        encode(&metadata, &mut file);
        file
    }
}

/// A value as it is in a file, without pointers.
fn encode(value: &Value, into: &mut Vec<u8>) {
    let mut whole = |kind, bytes: &[u8]| {
        control(kind, bytes.len(), into);
        into.extend(bytes);
    };
    match value {
        Value::String(text) => whole(2, text.as_bytes()),
        Value::Double(number) => whole(3, &number.to_be_bytes()),
        Value::Bytes(bytes) => whole(4, bytes),
        Value::U16(number) => whole(5, significant(&number.to_be_bytes())),
        Value::U32(number) => whole(6, significant(&number.to_be_bytes())),
        Value::I32(number) => whole(8, significant(&number.to_be_bytes())),
        Value::U64(number) => whole(9, significant(&number.to_be_bytes())),
        Value::U128(number) => whole(10, significant(&number.to_be_bytes())),
        Value::Float(number) => whole(15, &number.to_be_bytes()),
        Value::Bool(yes) => control(14, usize::from(*yes), into),
        Value::Map(entries) => {
            control(7, entries.len(), into);
            for (name, value) in entries {
                encode(&Value::String(name.clone()), into);
                encode(value, into);
            }
        }
        Value::Array(values) => {
            control(11, values.len(), into);
            for value in values {
                encode(value, into);
            }
        }
    }
}

/// The bytes of a number without the zeros that it begins with.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}

fn control(kind: u8, size: usize, into: &mut Vec<u8>) {
    let (size, rest) = match size {
        0..29 => (size as u8, vec![]),
        29..285 => (29, vec![(size - 29) as u8]),
        285..65_821 => (30, ((size - 285) as u16).to_be_bytes().to_vec()),
        _ => (31, ((size - 65_821) as u32).to_be_bytes()[1..].to_vec()),
    };
    if kind < 8 {
        into.push(kind << 5 | size);
    } else {
        into.extend([size, kind - 7]);
    }
    into.extend(rest);
}
