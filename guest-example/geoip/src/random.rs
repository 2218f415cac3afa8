//! Addresses to look up where nobody has any.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The same numbers for the same seed: SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        number ^ number >> 31
    }

    /// Any IPv4 address.
    pub(crate) fn ipv4(&mut self) -> IpAddr {
        Ipv4Addr::from_bits(self.number() as u32).into()
    }

    /// An IPv6 address from the ranges that the registries hand out networks of. Nearly all others
    /// are of no network, which takes a look at one node to see.
    pub(crate) fn ipv6(&mut self) -> IpAddr {
        const RANGES: [u64; 6] = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00];
        let (high, low) = (self.number(), self.number());
        let start = RANGES[(low % 6) as usize] << 48;
        let bits = if start >> 48 == 0x2001 { high >> 16 } else { high >> 12 };
        Ipv6Addr::from_bits(u128::from(start | bits) << 64 | u128::from(low)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_addresses_again() {
        let addresses = |seed| {
            let mut random = Random::new(seed);
            (random.ipv4(), random.ipv6(), random.ipv6())
        };
        assert_eq!(addresses(1), addresses(1));
        assert_ne!(addresses(1), addresses(2));
    }

    #[test]
    fn every_range_comes_up() {
        let mut random = Random::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            let IpAddr::V6(address) = random.ipv6() else { panic!("not IPv6") };
            let first = address.segments()[0];
            assert!(first == 0x2001 || [0x24, 0x26, 0x28, 0x2a, 0x2c].contains(&(first >> 8)));
            seen.insert(first >> 8);
        }
        assert_eq!(seen.len(), 6);
    }
}
