//! Reads the MaxMind DB format in place: of a file of any size only what a lookup needs is read,
//! a hundred bytes or so at a time, through a [`Source`]: a mapping, or bytes in memory.
//!
//! ```
//! use mmdb::{Bytes, Database, Value, make::Maker};
//!
//! let zz = Value::Map(vec![("country".into(), Value::String("ZZ".into()))]);
//! let file = Maker::new(6, 24).network("192.0.2.0/24", &zz).make();
//!
//! let database = Database::open(Bytes(file))?;
//! let answer = database.lookup("192.0.2.7".parse().unwrap())?;
//! assert_eq!(answer.network.to_string(), "192.0.2.0/24");
//! let record = database.value(answer.record.unwrap())?;
//! assert_eq!(record.get("country").unwrap().as_str(), Some("ZZ"));
//! # Ok::<(), mmdb::Error<mmdb::PastTheEnd>>(())
//! ```
//!
//! A file has three parts: a binary tree over the bits of an address ([`Database::lookup`] walks
//! it), the records that its leaves point to ([`Database::value`] decodes one), and at the very
//! end what [`Metadata`] is read from. The format is described at
//! <https://maxmind.github.io/MaxMind-DB/>.
//!
//! A file may be anything, also made to do harm. It gives an [`Error`] at worst: no panic, no
//! endless loop, and no memory beyond a few megabytes.
//!
//! What makes many lookups fast: [`Database::keep`], [`Database::lookup_many`], and a [`Cache`] of
//! records.

mod cache;
mod database;
mod decode;
mod error;
pub mod make;
#[cfg(feature = "iommap")]
mod mapping;
mod metadata;
mod network;
mod source;
mod tree;
mod value;

pub use cache::Cache;
pub use database::{Answer, Database, Record};
pub use error::Error;
#[cfg(feature = "iommap")]
pub use mapping::Mapped;
pub use metadata::Metadata;
pub use network::Network;
pub use source::{Bytes, PastTheEnd, Source, end};
pub use value::Value;
