//! `cargo xtask bench`: the benchmark, built as what is installed is built.

use crate::workspace::{cargo, root, run as run_command, say};
use crate::{guests, toolchain};
use anyhow::{Context, Result};
use std::ffi::OsString;

/// The workspace of the benchmark's guest, relative to the root of the clone.
pub const GUEST: &str = "bench/guest";

/// Measures, prints the table and the goals; a full run also writes `docs/performance.md` and
/// its plot. `args` are further arguments for the program `iommap-bench`.
pub fn run(quick: bool, args: &[OsString]) -> Result<()> {
    let built = guests::build(&root().join(GUEST), &toolchain::ensure()?)?;
    let guest = built.first().context("the benchmark's guest was not built")?;
    say("building with fat LTO, which takes minutes the first time");
    let mut cargo = cargo();
    cargo.args(["run", "--release", "--package", "iommap-bench", "--"]);
    cargo.arg("--rust-guest").arg(&guest.path);
    if quick {
        cargo.arg("--quick");
    } else {
        cargo.arg("--out").arg(root().join("docs"));
    }
    run_command(cargo.args(args))
}
