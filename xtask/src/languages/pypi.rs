//! Packages from PyPI, in a directory of their own: no virtual environment, which not every
//! Python can make.

use super::{SetUp, installed};
use crate::workspace::{output, root};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The Python that installs and runs them.
pub(super) const PYTHON: &str = "python3";

/// Finds what a lock file lists, or installs it.
pub(super) fn packages(name: &str, lock: &str, set_up: SetUp) -> Result<PathBuf> {
    let lock = root().join(lock);
    installed(name, &[lock.clone()], set_up, |dir| {
        output(Command::new(PYTHON).args(["-m", "pip", "--version"]))
            .context("Python's pip is needed, version 3.10 or later of it")?;
        let mut pip = Command::new(PYTHON);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        // Nothing but what the lock lists, and nothing that runs code of its own to be installed.
        pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:"]);
        pip.arg("--target").arg(dir).arg("--requirement").arg(&lock);
        output(&mut pip).map(drop).context("pip could not install it from PyPI")
    })
}
