//! What a request asks.

use std::net::IpAddr;
use std::str::FromStr;

/// How often a lookup may be repeated, to be timed.
const MOST_REPEATS: u32 = 1_000_000;

/// What a request asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The address to look up.
    pub(crate) ip: IpAddr,
    /// How to read the database.
    pub(crate) via: Via,
    /// How often to look it up.
    pub(crate) repeat: u32,
}

/// How the database is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// Through a mapping.
    Iommap,
    /// Through `wasi:filesystem`.
    Wasi,
}

impl Via {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Via::Iommap => "iommap",
            Via::Wasi => "wasi",
        }
    }
}

impl FromStr for Via {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Via, &'static str> {
        let known = [Via::Iommap, Via::Wasi].into_iter().find(|via| via.name() == name);
        known.ok_or("a database is read via `iommap` or `wasi`")
    }
}

impl Question {
    /// Reads a query, such as `ip=192.0.2.7&via=wasi`. Of a parameter given twice the last counts.
    pub(crate) fn parse(query: &str, via: Via) -> Result<Question, String> {
        let (mut ip, mut via, mut repeat) = (None, via, 1);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "ip" => {
                    let address = value.trim().parse::<IpAddr>();
                    ip = Some(address.map_err(|_| format!("`{value}` is not an IP address"))?);
                }
                "via" => via = value.parse()?,
                "repeat" => {
                    let times =
                        value.parse().ok().filter(|times| (1..=MOST_REPEATS).contains(times));
                    repeat = times.ok_or_else(|| {
                        format!("`repeat` is a number from 1 to {MOST_REPEATS}, and not `{value}`")
                    })?;
                }
                _ => return Err(format!("there is no parameter `{name}`: ip, via, repeat")),
            }
        }
        let ip = ip.ok_or("no address to look up: ask for /lookup?ip=ADDRESS")?;
        Ok(Question { ip, via, repeat })
    }
}
