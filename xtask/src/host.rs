//! The host's command line, built the way the tests build it, so that nothing is built twice.

use crate::artifacts;
use crate::workspace::cargo;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Builds the binary `iommap` and returns where it is.
///
/// `--workspace --all-features`, as `cargo test` has it: with fewer packages cargo would choose
/// fewer features of wasmtime, and compile wasmtime once for each choice.
pub(crate) fn command_line() -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--workspace", "--all-features", "--bin", "iommap"]);
    let built = artifacts::build(&mut cargo).context("the host's command line was not built")?;
    built
        .into_iter()
        .filter_map(|artifact| artifact.executable)
        .find(|path| path.file_stem().is_some_and(|stem| stem == "iommap"))
        .context("cargo built no binary named `iommap`")
}
