//! What a database says of itself.

use crate::decode::{self, Section};
use crate::{Error, Source, Value};

/// What the metadata begins with: its last occurrence counts.
const MARKER: &[u8; 14] = b"\xab\xcd\xefMaxMind.com";

/// How far from the end the metadata begins at most.
const REACH: u64 = 128 << 10;

/// Zeros between the tree and the records.
pub(crate) const SEPARATOR: u64 = 16;

/// What a database says of itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// What kind of records it has, such as `GeoLite2-Country`.
    pub database_type: String,
    /// 4 if it has IPv4 addresses only, else 6.
    pub ip_version: u8,
    /// When it was made, in seconds since 1970.
    pub build_epoch: u64,
    /// How many nodes the tree has.
    pub node_count: u32,
    /// How long one of the two records of a node is, in bits: 24, 28 or 32.
    pub record_size: u16,
    /// Everything, with what is not above.
    pub all: Value,
}

impl Metadata {
    /// Reads it, and the place where it begins: the records end there.
    pub(crate) fn read<S: Source>(
        source: &S,
        length: u64,
    ) -> Result<(Metadata, u64), Error<S::Error>> {
        let marker = find_marker(source, length)?.ok_or(Error::NotADatabase)?;
        let start = marker + MARKER.len() as u64;
        let all = decode::value(source, Section { start, end: length }, start)?;
        let invalid = |what| Error::Invalid { what, offset: start };
        let number = |name, missing| all.get(name).and_then(Value::as_u64).ok_or(invalid(missing));

        let version = number("binary_format_major_version", "it has no format version")?;
        if version != 2 {
            return Err(Error::Unsupported { what: "format version", value: version });
        }
        let record_size = number("record_size", "it has no record size")?;
        if ![24, 28, 32].contains(&record_size) {
            return Err(Error::Unsupported { what: "record size", value: record_size });
        }
        let ip_version = number("ip_version", "it has no IP version")?;
        if ![4, 6].contains(&ip_version) {
            return Err(Error::Unsupported { what: "IP version", value: ip_version });
        }
        let node_count = number("node_count", "it has no number of nodes")?;
        let node_count =
            u32::try_from(node_count).map_err(|_| invalid("it has too many nodes to be true"))?;
        let tree = u64::from(node_count) * record_size / 4;
        if tree + SEPARATOR > marker {
            return Err(invalid("its tree is larger than the file"));
        }
        let metadata = Metadata {
            database_type: text(&all, "database_type"),
            ip_version: ip_version as u8,
            build_epoch: all.get("build_epoch").and_then(Value::as_u64).unwrap_or(0),
            node_count,
            record_size: record_size as u16,
            all,
        };
        Ok((metadata, marker))
    }

    /// How long the tree is, in bytes.
    pub(crate) fn tree_length(&self) -> u64 {
        u64::from(self.node_count) * u64::from(self.record_size) / 4
    }
}

fn text(metadata: &Value, name: &str) -> String {
    metadata.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The offset of the last marker: usually some hundred bytes before the end.
fn find_marker<S: Source>(source: &S, length: u64) -> Result<Option<u64>, Error<S::Error>> {
    let mut window = [0; 1024];
    let mut end = length;
    while length - end < REACH && end > 0 {
        let start = end.saturating_sub(window.len() as u64);
        let bytes = &mut window[..(end - start) as usize];
        source.read_at(start, bytes).map_err(Error::Source)?;
        if let Some(at) = bytes.windows(MARKER.len()).rposition(|bytes| bytes == MARKER) {
            return Ok(Some(start + at as u64));
        }
        if start == 0 {
            break;
        }
        // The next window has the beginning of a marker whose end was in this one.
        end = start + MARKER.len() as u64 - 1;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bytes;

    fn marker_in(bytes: &[u8]) -> Option<u64> {
        find_marker(&Bytes(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn the_last_marker_is_found_wherever_it_is() {
        assert_eq!(marker_in(b""), None);
        assert_eq!(marker_in(&MARKER[1..]), None);
        assert_eq!(marker_in(MARKER), Some(0));
        for behind in (0..3_000).step_by(7).chain([1_010, 1_011, 1_023, 1_024, 2_034, 2_035]) {
            let bytes = [&MARKER[..], b"-", MARKER, &vec![b'.'; behind]].concat();
            assert_eq!(marker_in(&bytes), Some(15), "{behind} bytes behind it");
        }
    }

    #[test]
    fn a_marker_that_is_too_far_away_does_not_count() {
        let behind = |count| [&MARKER[..], &vec![0; count]].concat();
        assert_eq!(marker_in(&behind(100_000)), Some(0));
        assert_eq!(marker_in(&behind(140_000)), None);
    }
}
