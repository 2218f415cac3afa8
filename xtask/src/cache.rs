//! What the user's cache directory is kept whole by.

use crate::workspace::say;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;

/// Locks a file for as long as the returned one is open, so that two runs don't do the same work.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let why = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(why)?;
    if file.try_lock().is_err() {
        say("another run is setting this up: waiting for it");
        file.lock().with_context(why)?;
    }
    Ok(file)
}

/// Removes what killed runs left behind. The lock is ours, so nobody works there.
pub(crate) fn clear_leftovers(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_waits_for_the_lock() {
        let path = std::env::temp_dir().join(format!("iommap-xtask-lock-{}", std::process::id()));
        let first = lock(&path).unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(first);
        drop(lock(&path).unwrap());
        fs::remove_file(&path).unwrap();
    }
}
