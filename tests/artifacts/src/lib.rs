//! The guests, for whoever runs them: the tests, the benchmark, the stress run and `cargo xtask`.
//!
//! [`guest`] builds what is missing or out of date and says where a component is. That happens when
//! somebody asks, not in a build script: with one, `cargo check`, clippy and an editor would build
//! every guest first, and fail where nothing builds for wasm.
//!
//! Nothing is downloaded for it: `cargo xtask setup` does that.

mod data;
mod languages;
mod mapped;
mod place;
mod rust;
mod sqlite;
mod tools;

pub use data::{database, model, words};
pub use languages::{Language, Others, build_others};
pub use mapped::native_c;
pub use place::{cache_dir, root, target_dir};
pub use rust::{SLOW, TARGET, Toolchain, WORKSPACES, build_all, cargo_build, native, unoptimised};
pub use tools::SetUp;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

/// The environment variable with what [`components`] returns, where they were built a moment ago and
/// need not be looked at again: for those who start many programs that ask.
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
    static OTHERS: LazyLock<Result<Others, String>> =
        LazyLock::new(|| build_others(SetUp::Forbidden).map_err(|why| format!("{why:#}")));
    static FOUND: Mutex<BTreeMap<String, &str>> = Mutex::new(BTreeMap::new());

    let path = match Language::of(name) {
        None => components().join(name).with_extension("wasm"),
        Some(language) => {
            let others = OTHERS.as_ref().unwrap_or_else(|why| panic!("{why}"));
            others.guest(language, name)?
        }
    };
    let mut found = FOUND.lock().expect("nobody panics with it");
    let leak = || &*path.display().to_string().leak();
    Ok(found.entry(name.to_owned()).or_insert_with(leak))
}

/// Where the components of Rust's guests are, all of them built.
///
/// # Panics
///
/// A guest does not compile.
#[track_caller]
pub fn components() -> &'static Path {
    static COMPONENTS: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        if let Some(dir) = env::var_os(GUESTS) {
            return Ok(dir.into());
        }
        let build = || {
            let toolchain = Toolchain::find()?;
            build_all(&toolchain)?;
            anyhow::Ok(toolchain.components())
        };
        build().map_err(|why| format!("{why:#}"))
    });
    COMPONENTS.as_ref().unwrap_or_else(|why| panic!("{why}"))
}
