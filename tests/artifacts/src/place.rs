//! Where things are.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf, absolute};
use std::sync::LazyLock;

/// The root of the clone that cargo runs in.
///
/// Cargo says where it is to what it runs. The path that this was compiled in is asked last only:
/// clones may share a target directory, and cargo then runs a build of the one in the other.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let compiled = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = package.into_iter().chain([compiled]).find_map(|package| {
            package.ancestors().find(|dir| dir.join("wit/iommap.wit").is_file()).map(Path::to_owned)
        });
        root.expect("this runs in a clone")
    });
    &ROOT
}

/// Where cargo puts what it builds for the host: `CARGO_TARGET_DIR`, or `target` in the clone.
pub fn target_dir() -> PathBuf {
    root().join(variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Where what outlives the clone is kept: `IOMMAP_CACHE`, or `iommap` in the user's cache directory.
/// `ci/lib.sh` says the same.
///
/// # Errors
///
/// The user has no home directory.
pub fn cache_dir() -> Result<PathBuf> {
    let users = || variable("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
    let dir = variable("IOMMAP_CACHE").or_else(|| Some(users()?.join("iommap")));
    let dir = dir.context("no home directory: set IOMMAP_CACHE to one that may keep 500 MB")?;
    Ok(absolute(dir)?)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
