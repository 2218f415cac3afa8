//! What can go wrong.

use std::fmt;
use std::net::IpAddr;

/// Why there is no answer. `E` is the error of the [`Source`](crate::Source).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The file could not be read.
    Source(E),
    /// No metadata in its last 128 KiB: not a MaxMind DB file, or one that was cut short.
    NotADatabase,
    /// The file contradicts itself or the format.
    Invalid {
        /// What is wrong.
        what: &'static str,
        /// The offset in the file, in bytes, where it was noticed.
        offset: u64,
    },
    /// What the tree has for an address is no record.
    Tree {
        /// What it has instead.
        what: &'static str,
        /// The address.
        address: IpAddr,
    },
    /// A format version or record size that is not known here.
    Unsupported {
        /// What is not known.
        what: &'static str,
        /// Which one it is.
        value: u64,
    },
    /// A record of more values or bytes, or nested deeper, than any that is meant well.
    TooLarge {
        /// The offset in the file, in bytes, of the value that was one too many.
        offset: u64,
    },
    /// An IPv6 address was asked of a database of IPv4 addresses.
    NoIpv6,
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Source(error) => error.fmt(f),
            Error::NotADatabase => {
                f.write_str("not a MaxMind DB file, or one that was cut short: it has no metadata")
            }
            Error::Invalid { what, offset } => {
                write!(f, "the database is damaged: {what}, at offset {offset}")
            }
            Error::Tree { what, address } => {
                write!(f, "the database is damaged: for {address}, its tree {what}")
            }
            Error::Unsupported { what, value } => write!(f, "{what} {value} is not supported"),
            Error::TooLarge { offset } => {
                write!(f, "the record is too large, or nested too deeply, at offset {offset}")
            }
            Error::NoIpv6 => f.write_str("the database has IPv4 addresses only"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Source(error) => Some(error),
            _ => None,
        }
    }
}
