//! A directory of this process's own, in memory where that is possible.

use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "iommap-fuzz-";

/// Makes an empty directory, and removes those of processes that are gone: a fuzzer does not end
/// so that it could clean up.
pub(crate) fn make(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    for entry in fs::read_dir(&parent).expect("a directory for temporary files").flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let process = rest.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            // Somebody else may be quicker.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let place = parent.join(format!("{PREFIX}{}-{target}", std::process::id()));
    // From a test in the same process, perhaps.
    let _ = fs::remove_dir_all(&place);
    fs::create_dir(&place).expect("a directory");
    place.canonicalize().expect("its path")
}
