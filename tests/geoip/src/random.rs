//! Random addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The same numbers for the same seed: xorshift128+.
pub struct Random(u64, u64);

impl Random {
    /// Any seed is as good as another.
    pub fn new(seed: u64) -> Random {
        // Never both zero, which would stay zero.
        Random(seed ^ 0x6A09_E667_F3BC_C908, 0xBB67_AE85_84CA_A73B)
    }

    fn number(&mut self) -> u64 {
        let (mut a, b) = (self.0, self.1);
        a ^= a << 23;
        a ^= a >> 17 ^ b ^ b >> 26;
        (self.0, self.1) = (b, a);
        a.wrapping_add(b)
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.number()) << 64 | u128::from(self.number())
    }

    /// Any IPv4 address.
    pub fn ipv4(&mut self) -> IpAddr {
        Ipv4Addr::from_bits((self.number() >> 32) as u32).into()
    }

    /// Any IPv6 address, which is rarely of a network that somebody has.
    pub fn ipv6(&mut self) -> IpAddr {
        Ipv6Addr::from_bits(self.wide()).into()
    }

    /// An address from any one of these ranges.
    pub fn within(&mut self, ranges: &[(IpAddr, IpAddr)]) -> IpAddr {
        let index = self.number() % ranges.len() as u64;
        match ranges[index as usize] {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let (first, last) = (u64::from(first.to_bits()), u64::from(last.to_bits()));
                let bits = first + self.number() % (last - first + 1);
                Ipv4Addr::from_bits(bits as u32).into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let (first, last) = (first.to_bits(), last.to_bits());
                // Nobody has all of IPv6, whose size is one more than fits.
                Ipv6Addr::from_bits(first + self.wide() % (last - first + 1)).into()
            }
            (first, _) => first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_their_ranges() {
        let ip = |address: &str| address.parse::<IpAddr>().unwrap();
        let ranges = [(ip("10.0.0.0"), ip("10.0.0.3")), (ip("2001:db8::"), ip("2001:db8::1"))];
        let mut random = Random::new(5);
        let mut seen: Vec<_> = (0..1_000).map(|_| random.within(&ranges)).collect();
        seen.sort();
        seen.dedup();
        let expected: Vec<_> =
            ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::", "2001:db8::1"]
                .map(ip)
                .into();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_seed_gives_the_same_addresses_again() {
        let of = |seed| (Random::new(seed).ipv4(), Random::new(seed).ipv6());
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
