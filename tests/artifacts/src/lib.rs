//! The guests, for whoever runs them: the tests, the benchmark, the stress run and `cargo xtask`.
//!
//! [`guest`] builds what is missing or out of date and says where a component is. That happens when
//! somebody asks, not in a build script: with one, `cargo check`, clippy and an editor would build
//! every guest first, and fail where nothing builds for wasm.
//!
//! Nothing is downloaded for it: `cargo xtask setup` does that.

mod languages;
mod place;
mod rust;
mod tools;

pub use languages::{Language, Others, build_others};
pub use place::{cache_dir, root, target_dir};
pub use rust::{TARGET, Toolchain, WORKSPACES, build_all, cargo_build};
pub use tools::{SetUp, database};

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

/// The environment variable with the directory of Rust's components, where all guests were built a
/// moment ago: then they are taken as they are. `cargo xtask test` sets it, and so should who starts
/// many programs that ask.
pub const GUESTS: &str = "IOMMAP_GUESTS";

/// A component that was built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guest {
    /// The file's name without `.wasm`.
    pub name: String,
    /// The component, as an absolute path.
    pub path: PathBuf,
}

/// The component of this name, such as `driver` or `search-c`.
///
/// # Panics
///
/// There is none: it says why.
#[track_caller]
pub fn guest(name: &str) -> &'static str {
    try_guest(name).unwrap_or_else(|why| panic!("no guest `{name}`: {why}"))
}

/// The component of this name, or why there is none: the tools of some languages are not everywhere.
///
/// # Panics
///
/// A guest does not compile.
#[track_caller]
pub fn try_guest(name: &str) -> Result<&'static str, String> {
    type Found = BTreeMap<String, Result<&'static str, String>>;
    static FOUND: Mutex<Found> = Mutex::new(BTreeMap::new());
    static RUST: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        if let Some(dir) = env::var_os(GUESTS) {
            return Ok(dir.into());
        }
        let build = || {
            let toolchain = Toolchain::find()?;
            build_all(&toolchain)?;
            Ok(toolchain.components())
        };
        build().map_err(|error: anyhow::Error| format!("{error:#}"))
    });
    static OTHERS: LazyLock<Result<(), String>> = LazyLock::new(|| {
        if env::var_os(GUESTS).is_some() {
            return Ok(());
        }
        build_others(SetUp::Forbidden).map(drop).map_err(|error| format!("{error:#}"))
    });

    if let Some(found) = FOUND.lock().expect("nobody panics with it").get(name) {
        return found.clone();
    }
    let path = match Language::of(name) {
        None => Ok(RUST.as_ref().unwrap_or_else(|why| panic!("{why}")).join(name)),
        Some(language) => {
            OTHERS.as_ref().unwrap_or_else(|why| panic!("{why}"));
            language.component(name)
        }
    };
    let found = path.map(|path| &*path.with_extension("wasm").display().to_string().leak());
    FOUND.lock().expect("nobody panics with it").insert(name.to_owned(), found.clone());
    found
}
