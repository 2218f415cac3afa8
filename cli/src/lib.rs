//! The values that iommap's command line takes, for programs that take the same ones: limits by
//! their names, numbers of bytes with a unit, times with a unit.
//!
//! The command line itself is the program `iommap`, and no library.
//!
//! ```
//! use iommap_cli::{Limit, bytes, duration};
//!
//! let mut limits = iommap::Limits::default();
//! Limit::parse("mapped-bytes=64G")?.apply(&mut limits);
//! assert_eq!(limits.mapped_bytes, bytes("64GiB")?);
//! assert_eq!(duration("1m 30s")?, duration("90")?);
//! # Ok::<(), String>(())
//! ```

mod limit;
mod nearest;
mod values;

pub use limit::Limit;
pub use values::{bytes, duration, variable};
