//! What the tests in `tests/` share: they drive guests through wasm, as an embedder would.
//!
//! - [`scene`]: a directory, a kind of store, and guests in it. [`scene::on_each_store`] tells one
//!   story on every kind.
//! - [`wat`]: guests written by hand, whose `realloc` does what no compiler would make it do.
//! - [`windows`]: a guest with windows, written by hand.
//! - [`odd`]: a host that asks a guest for memory in its own way.
//! - [`bindings`]: the types of the interfaces that tests speak.
//! - [`child`]: whatever may crash, in a process of its own.
//! - [`command_line`]: the program `iommap`, with the sample guests.
//! - [`conversation`]: a program that answers line by line, so that much can happen between.
//! - [`fuse`]: a file system that keeps its users waiting.
//! - [`languages`]: which guests there are that are not in Rust.
//! - [`conformance`]: cases that guests in every language are held to.
//!
//! The guests are built by this crate's build script.

pub mod bindings;
pub mod child;
pub mod command_line;
pub mod conformance;
pub mod conversation;
#[cfg(target_os = "linux")]
pub mod fuse;
mod group;
pub mod languages;
pub mod odd;
pub mod scene;
pub mod wat;
pub mod windows;

pub use scene::{Guest, Kind, Scene, on_each_store};
