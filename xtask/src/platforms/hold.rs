//! One run at a time, and each builds the clone that it runs in.
//!
//! All clones share what is built of wasmtime and the standard libraries: half an hour of work. But
//! cargo takes a file that is older than a build for a part of it, whichever clone it lies in. So
//! where another clone was built last, what was built of the project itself is forgotten.

use super::cross::Cross;
use crate::debian;
use crate::workspace::{root, say};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;

/// The project's own packages begin so.
const OWN: &str = "iommap";

/// Waits until no other run goes on, and sees to it that nothing of another clone is left. Others
/// wait as long as the file lives.
pub(super) fn hold(cross: &Cross) -> Result<File> {
    let dir = &cross.target_dir;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let lock = debian::lock(&dir.join("run.lock"))?;
    let marker = dir.join("clone");
    let here = root().display().to_string();
    let last = fs::read_to_string(&marker).unwrap_or_default();
    if last != here {
        if !last.is_empty() {
            say(format_args!("{last} was built last: building the project's own part anew"));
        }
        forget(dir)?;
        fs::write(&marker, here).with_context(|| format!("cannot write {}", marker.display()))?;
    }
    Ok(lock)
}

/// Removes cargo's notes on the project's own packages, for all targets.
fn forget(dir: &Path) -> Result<()> {
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    for target in entries(dir) {
        for package in entries(&target.path().join("debug/.fingerprint")) {
            if package.file_name().to_string_lossy().starts_with(OWN) {
                let path = package.path();
                fs::remove_dir_all(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_projects_own_packages_are_forgotten() {
        let dir = std::env::temp_dir().join(format!("iommap-xtask-hold-{}", std::process::id()));
        let notes = dir.join("x86_64-unknown-freebsd/debug/.fingerprint");
        for package in ["iommap-1", "iommap-model-2", "wasmtime-3"] {
            fs::create_dir_all(notes.join(package)).unwrap();
        }
        forget(&dir).unwrap();
        let left: Vec<_> = fs::read_dir(&notes).unwrap().map(|e| e.unwrap().file_name()).collect();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(left, ["wasmtime-3"]);
    }
}
