//! What must be answered: read from the database here, with no component and no mapping.

use anyhow::{Result, anyhow, ensure};
use fastrand::Rng;
use mmdb::{Bytes, Database};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many addresses are asked for.
const ADDRESSES: usize = 4096;

/// Addresses, and what must be said of each.
pub(crate) struct Truth {
    asked: Vec<Asked>,
}

/// One address.
pub(crate) struct Asked {
    /// What to ask for.
    pub(crate) target: String,
    /// With what code it is answered.
    pub(crate) code: u16,
    /// What the answer's text has in it.
    pub(crate) parts: [String; 3],
}

impl Truth {
    /// Draws addresses and looks them up.
    pub(crate) fn of(bytes: &[u8]) -> Result<Truth> {
        let database = Database::open(Bytes(bytes)).map_err(|error| anyhow!("{error}"))?;
        let ipv6 = database.metadata().ip_version == 6;
        let mut random = Rng::with_seed(1);
        let mut asked = Vec::with_capacity(ADDRESSES);
        for index in 0..ADDRESSES {
            let ip: IpAddr = if ipv6 && index % 4 == 0 {
                // What has been given out so far begins like this.
                Ipv6Addr::from_bits((0b001 << 125) | (random.u128(..) >> 3)).into()
            } else {
                Ipv4Addr::from_bits(random.u32(..)).into()
            };
            asked.push(Asked::new(&database, ip, index)?);
        }
        ensure!(asked.iter().any(|asked| asked.code == 200), "the database knows none of them");
        Ok(Truth { asked })
    }

    /// Those that are known, and looked up once.
    pub(crate) fn known_at_once(self) -> Truth {
        let plain = |asked: &Asked| asked.code == 200 && !asked.target.contains("repeat");
        Truth { asked: self.asked.into_iter().filter(plain).collect() }
    }

    /// Any of the addresses.
    pub(crate) fn draw(&self, random: &mut Rng) -> &Asked {
        &self.asked[random.usize(..self.asked.len())]
    }
}

impl Asked {
    fn new(database: &Database<Bytes<&[u8]>>, ip: IpAddr, index: usize) -> Result<Asked> {
        let found = database.lookup(ip).map_err(|error| anyhow!("{ip}: {error}"))?;
        let record = found.record.map(|record| database.value(record)).transpose();
        let record = record.map_err(|error| anyhow!("{ip}: {error}"))?;
        let country = record.as_ref().and_then(|record| record.get("country_code")?.as_str());
        let country = country.map_or("null".to_owned(), |code| format!("\"{code}\""));
        // One in 64 takes some milliseconds, so that what happens to the file happens under it.
        let repeat = if index % 64 == 63 { "&repeat=500" } else { "" };
        Ok(Asked {
            target: format!("/lookup?ip={ip}{repeat}"),
            code: if record.is_some() { 200 } else { 404 },
            parts: [
                format!("\"ip\":\"{ip}\""),
                format!("\"country\":{country}"),
                format!("\"network\":\"{}\"", found.network),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmdb::Value;
    use mmdb::make::Maker;

    #[test]
    fn known_addresses_and_unknown_ones_are_both_asked_for() {
        let record = Value::Map(vec![("country_code".into(), Value::String("ZZ".into()))]);
        let bytes = Maker::new(6, 24).network("0.0.0.0/1", &record).make();
        let truth = Truth::of(&bytes).unwrap();
        let known = truth.asked.iter().filter(|asked| asked.code == 200);
        assert!(known.clone().count() > ADDRESSES / 8);
        for asked in known {
            assert_eq!(asked.parts[1], "\"country\":\"ZZ\"");
            assert_eq!(asked.parts[2], "\"network\":\"0.0.0.0/1\"");
        }
        assert!(truth.asked.iter().any(|asked| asked.code == 404));
        assert!(truth.known_at_once().asked.iter().all(|asked| asked.code == 200));
    }
}
