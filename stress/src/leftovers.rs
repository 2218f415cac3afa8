//! What this process still has of the directory: descriptors and mappings.

use anyhow::Result;
use std::fs;
use std::path::Path;

/// Descriptors open on files in a directory, and ranges of the address space that map one.
pub(crate) fn count(directory: &Path) -> Result<(u64, u64)> {
    let mut descriptors = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        // The descriptor of this listing has no target once it is closed.
        if let Ok(target) = fs::read_link(entry?.path()) {
            descriptors += u64::from(target.starts_with(directory) && target != directory);
        }
    }
    let directory = directory.to_string_lossy();
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mapped = maps.lines().filter(|line| line.contains(&*directory)).count();
    Ok((descriptors, mapped as u64))
}
