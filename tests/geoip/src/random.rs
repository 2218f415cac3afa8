//! Random addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

/// Any IPv4 address.
pub fn ipv4(random: &mut Rng) -> IpAddr {
    Ipv4Addr::from_bits(random.u32(..)).into()
}

/// Any IPv6 address, which is rarely of a network that somebody has.
pub fn ipv6(random: &mut Rng) -> IpAddr {
    Ipv6Addr::from_bits(random.u128(..)).into()
}

/// An address from any one of these ranges.
pub fn within(random: &mut Rng, ranges: &[(IpAddr, IpAddr)]) -> IpAddr {
    match ranges[random.usize(..ranges.len())] {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Ipv4Addr::from_bits(random.u32(first.to_bits()..=last.to_bits())).into()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Ipv6Addr::from_bits(random.u128(first.to_bits()..=last.to_bits())).into()
        }
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_their_ranges() {
        let ip = |address: &str| address.parse::<IpAddr>().unwrap();
        let ranges = [(ip("10.0.0.0"), ip("10.0.0.3")), (ip("2001:db8::"), ip("2001:db8::1"))];
        let mut random = Rng::with_seed(5);
        let mut seen: Vec<_> = (0..1_000).map(|_| within(&mut random, &ranges)).collect();
        seen.sort();
        seen.dedup();
        let expected: Vec<_> =
            ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::", "2001:db8::1"]
                .map(ip)
                .into();
        assert_eq!(seen, expected);
    }
}
