//! The host's programs, built the way the tests build them, so that nothing is built twice.

use crate::artifacts;
use crate::workspace::cargo;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Builds the binary `iommap` and returns where it is.
pub(crate) fn command_line() -> Result<PathBuf> {
    binary("iommap").context("the host's command line was not built")
}

/// Builds a binary of the workspace and returns where it is.
///
/// `--workspace --all-features`, as `cargo test` has it: with fewer packages cargo would choose
/// fewer features of wasmtime, and compile wasmtime once for each choice.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let mut cargo = cargo();
    cargo.args(["build", "--workspace", "--all-features", "--bin", name]);
    artifacts::build(&mut cargo)?
        .into_iter()
        .filter_map(|artifact| artifact.executable)
        .find(|path| path.file_stem().is_some_and(|stem| stem == name))
        .with_context(|| format!("cargo built no binary named `{name}`"))
}
