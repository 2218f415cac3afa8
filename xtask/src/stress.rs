//! `cargo xtask stress`: guests that share a file which other processes destroy.

use crate::workspace::shown;
use crate::{host, toolchain};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::Command;

/// Runs the program `iommap-stress` for so many seconds, with further arguments of its own. Tells
/// whether nothing crashed, no byte was wrong and nothing was left over.
pub fn run(seconds: u64, args: &[OsString]) -> Result<bool> {
    // Its build script builds the guest.
    toolchain::ensure()?;
    let mut stress = Command::new(host::binary("iommap-stress")?);
    stress.args(["--seconds", &seconds.to_string()]).args(args);
    let status = stress.status().with_context(|| format!("cannot run `{}`", shown(&stress)))?;
    Ok(status.success())
}
