//! The project's own commands, and what they share with `tests/build.rs`.
//!
//! `cargo xtask` (an alias in `.cargo/config.toml`) runs the binary; each of its commands is a
//! module here. Five parts are of use to others:
//!
//! - [`toolchain`] finds, or sets up, a compiler that can build guests;
//! - [`guests`] builds them. A build script wants [`guests::for_tests`];
//! - [`sections`] replaces what a command writes in a document;
//! - [`languages`] builds those that are not written in Rust;
//! - [`data`] finds, or fetches, the database that the sample guest `geoip` is tested with.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! for guest in xtask::guests::for_tests()? {
//!     println!("cargo:rustc-env=GUEST_{}={}", guest.name, guest.path.display());
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(unix)]
mod apt;
mod artifacts;
pub mod bench;
mod cache;
pub mod ci;
pub mod data;
#[cfg(unix)]
mod debian;
pub mod demo;
pub mod embedder;
pub mod geoip;
pub mod guests;
mod host;
pub mod languages;
#[cfg(unix)]
pub mod load;
#[cfg(unix)]
pub mod platforms;
pub mod sections;
#[cfg(unix)]
pub mod serve;
pub mod stress;
pub mod test;
pub mod toolchain;
pub mod workspace;
#[cfg(unix)]
mod wrk;
