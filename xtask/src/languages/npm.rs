//! Packages from npm.

use super::{SetUp, installed};
use crate::workspace::{output, root};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What runs them.
pub(super) const NODE: &str = "node";

/// The version of Node.js that the tools want.
const OLDEST: u32 = 20;

/// Finds what the lock file in a folder lists, or installs it, with copies of `files` beside it.
pub(super) fn packages(name: &str, folder: &str, files: &[&str], set_up: SetUp) -> Result<PathBuf> {
    let version = output(Command::new(NODE).arg("--version")).context("Node.js is needed")?;
    ensure!(
        major(&version).is_some_and(|major| major >= OLDEST),
        "Node.js {OLDEST} or later is needed, and this is {}",
        version.trim()
    );
    let own = ["package.json", "package-lock.json", ".npmrc"];
    let paths: Vec<_> =
        own.iter().chain(files).map(|file| root().join(folder).join(file)).collect();
    installed(name, &paths, set_up, |dir| {
        for path in &paths {
            fs::copy(path, dir.join(path.file_name().unwrap_or_default()))?;
        }
        let mut npm = Command::new("npm");
        // Exactly the lock file, and no package's own scripts.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(dir);
        output(&mut npm).map(drop).context("npm could not install it")
    })
}

/// The major version in `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_understood() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("20.1"), None);
    }

    /// A lock file that names hosts works nowhere but where it was made.
    #[test]
    fn the_lock_file_names_no_registry() {
        let lock = root().join("guest-example/logs/package-lock.json");
        let lock = fs::read_to_string(lock).unwrap();
        assert!(lock.contains("\"integrity\"") && !lock.contains("\"resolved\""));
    }
}
