//! Builds the guests: workspaces that share one target directory, `guests` in the host's.
//!
//! It is not the host's own, because an outer cargo (a build script calls this) holds the lock
//! on that for as long as it builds. They share it because they share what they depend on.

use crate::artifacts::{self, Artifact};
use crate::toolchain::{self, TARGET, WasmToolchain};
use crate::workspace::{root, target_dir};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guest workspaces, relative to the root of the clone.
pub const WORKSPACES: [&str; 4] =
    ["guest-example", "tests/guests", "tests/bare", crate::bench::GUEST];

/// A guest that was built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guest {
    /// The file's name without `.wasm`.
    pub name: String,
    /// The component, as an absolute path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// What a build script calls: finds the toolchain, sets nothing up, and builds every guest.
///
/// Cargo should run it again when one of [`inputs`] changes.
pub fn for_tests() -> Result<Vec<Guest>> {
    let toolchain = toolchain::find()?.with_context(|| {
        format!("no toolchain that builds for {TARGET}: run `cargo xtask setup` first")
    })?;
    build_all(&toolchain)
}

/// What guests are made of, as absolute paths: for `cargo:rerun-if-changed`.
///
/// The toolchain is one of them, as far as it lies in a file.
pub fn inputs() -> Result<Vec<PathBuf>> {
    let mut inputs: Vec<_> = WORKSPACES.iter().map(|dir| root().join(dir)).collect();
    // And what of the host's workspace they depend on.
    inputs.extend(["wit", "guest", "tests/commands", "tests/pattern", "tests/script"].map(|dir| root().join(dir)));
    inputs.extend(toolchain::find()?.and_then(|toolchain| toolchain.rustc().map(Path::to_owned)));
    Ok(inputs)
}

/// Builds every guest of every workspace.
pub fn build_all(toolchain: &WasmToolchain) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for dir in WORKSPACES {
        guests.extend(build(&root().join(dir), toolchain)?);
    }
    Ok(guests)
}

/// Builds one workspace's guests, sorted by name.
pub fn build(workspace: &Path, toolchain: &WasmToolchain) -> Result<Vec<Guest>> {
    let workspace = workspace
        .canonicalize()
        .with_context(|| format!("no guests in {}", workspace.display()))?;
    let mut cargo = cargo(&workspace, toolchain)?;
    cargo.args(["build", "--release", "--workspace", "--locked", "--target", TARGET]);
    let built = artifacts::build(&mut cargo)
        .with_context(|| format!("the guests in {} were not built", workspace.display()))?;
    let mut guests = Vec::new();
    for path in components(built, &workspace) {
        let size = path.metadata().with_context(|| format!("no {}", path.display()))?.len();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        guests.push(Guest { name, path, size });
    }
    guests.sort();
    Ok(guests)
}

/// A cargo for a guest workspace. The target directory is emptied if another toolchain built
/// there: cargo can't tell apart two standard libraries of the same rustc version.
pub(crate) fn cargo(workspace: &Path, toolchain: &WasmToolchain) -> Result<Command> {
    let target = target_dir().join("guests");
    let note = target.join("toolchain");
    if fs::read_to_string(&note).ok().as_deref() != Some(toolchain.identity()) {
        if target.exists() {
            fs::remove_dir_all(&target)
                .with_context(|| format!("cannot empty {}", target.display()))?;
        }
        fs::create_dir_all(&target)
            .and_then(|()| fs::write(&note, toolchain.identity()))
            .with_context(|| format!("cannot write {}", note.display()))?;
    }
    let mut cargo = toolchain.cargo();
    cargo.current_dir(workspace).env("CARGO_TARGET_DIR", target);
    Ok(cargo)
}

/// The components among what was built, as far as they belong to the workspace itself.
fn components(built: Vec<Artifact>, workspace: &Path) -> impl Iterator<Item = PathBuf> {
    built
        .into_iter()
        .filter(move |artifact| artifact.manifest.starts_with(workspace))
        .flat_map(|artifact| artifact.files)
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_workspaces_own_components_are_guests() {
        let artifact = |manifest: &str, file: &str| Artifact {
            manifest: manifest.into(),
            files: vec![file.into()],
            executable: None,
        };
        let built = vec![
            artifact("/clone/guests/search/Cargo.toml", "/t/search.wasm"),
            artifact("/clone/guests/shared/Cargo.toml", "/t/libshared.rlib"),
            artifact("/registry/other/Cargo.toml", "/t/other.wasm"),
        ];
        let found: Vec<_> = components(built, Path::new("/clone/guests")).collect();
        assert_eq!(found, [Path::new("/t/search.wasm")]);
    }
}
