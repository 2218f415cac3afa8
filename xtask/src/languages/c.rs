//! C: zig's compiler and C library from PyPI, bindings and component by `xtask/componentize-c`.

use super::{SetUp, Source, Tools, pypi};
use crate::artifacts;
use crate::toolchain::undisturbed_cargo;
use crate::workspace::{cache_dir, output, root, target_dir};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tool of our own, relative to the root of the clone.
pub(super) const COMPONENTIZE: &str = "xtask/componentize-c";

/// The lock file.
const LOCK: &str = "guest-example/search-c/requirements.txt";

pub(super) struct Zig {
    zig: PathBuf,
}

impl Zig {
    pub(super) fn get(set_up: SetUp) -> Result<Zig> {
        let packages = pypi::packages("ziglang", LOCK, set_up)?;
        Ok(Zig { zig: packages.join("ziglang/zig") })
    }
}

impl Tools for Zig {
    fn build(&self, source: &Source, work: &Path, component: &Path) -> Result<()> {
        let main = source.path().join(source.main);
        let mut files: Vec<_> = fs::read_dir(&main)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .with_context(|| format!("cannot read {}", main.display()))?;
        files.retain(|path: &PathBuf| path.extension().is_some_and(|ext| ext == "c"));
        files.sort();

        let mut tool = Command::new(componentize()?);
        tool.arg("--wit").arg(source.wit()).args(["--world", source.world]);
        tool.arg("--work").arg(work).arg("--zig").arg(&self.zig).arg("-o").arg(component);
        if source.is_driver() {
            tool.arg("--reactor");
        }
        // Where zig keeps the C library that it compiles the first time.
        let kept = cache_dir()?.join("languages/zig");
        tool.env("ZIG_GLOBAL_CACHE_DIR", &kept).env("ZIG_LOCAL_CACHE_DIR", kept.join("local"));
        output(tool.args(files)).map(drop)
    }

    fn inputs(&self) -> Vec<PathBuf> {
        ["Cargo.lock", "Cargo.toml", "src"]
            .map(|part| root().join(COMPONENTIZE).join(part))
            .into_iter()
            .chain([root().join(LOCK)])
            .collect()
    }
}

/// Builds our tool.
fn componentize() -> Result<PathBuf> {
    let mut cargo = undisturbed_cargo();
    cargo.current_dir(root().join(COMPONENTIZE)).args(["build", "--locked"]);
    cargo.env("CARGO_TARGET_DIR", target_dir().join("languages/componentize-c"));
    artifacts::build(&mut cargo)?
        .into_iter()
        .find_map(|artifact| artifact.executable)
        .context("cargo built no componentize-c")
}
