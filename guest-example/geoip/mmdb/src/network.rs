//! Ranges of addresses that share a prefix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that begin with the same bits, such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The first of them.
    pub address: IpAddr,
    /// How many leading bits they share.
    pub prefix: u8,
}

impl Network {
    /// The network of this prefix that an address is in. A prefix is at most 32 or 128; a larger
    /// one is taken for that.
    pub fn of(address: IpAddr, prefix: u8) -> Network {
        match address {
            IpAddr::V4(address) => {
                let prefix = prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                let first = Ipv4Addr::from_bits(address.to_bits() & mask);
                Network { address: first.into(), prefix }
            }
            IpAddr::V6(address) => {
                let prefix = prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                let first = Ipv6Addr::from_bits(address.to_bits() & mask);
                Network { address: first.into(), prefix }
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_begins_with_the_bits_that_its_addresses_share() {
        let of = |address: &str, prefix| Network::of(address.parse().unwrap(), prefix).to_string();
        assert_eq!(of("192.0.2.77", 24), "192.0.2.0/24");
        assert_eq!(of("192.0.2.77", 32), "192.0.2.77/32");
        assert_eq!(of("255.255.255.255", 0), "0.0.0.0/0");
        assert_eq!(of("2001:db8:1:2::9", 33), "2001:db8::/33");
        assert_eq!(of("2001:db8::9", 128), "2001:db8::9/128");
        assert_eq!(of("ffff::", 0), "::/0");
    }
}
