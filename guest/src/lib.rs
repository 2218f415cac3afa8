//! Memory-mapped files in WebAssembly guests, in the manner of `std::fs`.
//!
//! A component that uses this crate imports the interface `iommap:mmap`, which the `iommap` host
//! provides: the host maps the file, and the guest reads, writes and resizes it through a
//! [`Mapping`]. A file that is cut short meanwhile is an error and not a crash.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("counters");
//! use iommap_guest::Mapping;
//!
//! let counters = Mapping::options().read(true).write(true).create(true).size(4096).open(&path)?;
//! counters.write_all_at(8, &1u64.to_le_bytes())?;
//! let mut counter = [0; 8];
//! counters.read_exact_at(8, &mut counter)?;
//! assert_eq!(u64::from_le_bytes(counter), 1);
//! counters.sync()?;
//! # Ok(())
//! # }
//! ```

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
extern crate std;

#[cfg(feature = "std")]
mod cursor;
mod error;
mod mapping;
mod options;
mod path;
mod sys;

#[cfg(feature = "std")]
pub use cursor::{Reader, Writer};
pub use error::{Error, ErrorCode};
pub use mapping::{Advice, Mapping, Range, SyncMode};
pub use options::OpenOptions;
pub use path::GuestPath;
