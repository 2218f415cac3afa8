//! What is made once in a directory of the user's cache, and found there by every clone.

use crate::workspace::say;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;

/// The file that says that a directory was finished.
const STAMP: &str = "stamp";

/// Whether [`make_once`] finished this directory.
pub(crate) fn is_made(home: &Path) -> bool {
    home.join(STAMP).exists()
}

/// Makes a directory by filling a temporary one and renaming it, so that what is found is whole,
/// unless it is there already. One run makes it, others wait.
pub(crate) fn make_once(home: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if is_made(home) {
        return Ok(());
    }
    let parent = home.parent().context("a cache directory has a parent")?;
    fs::create_dir_all(parent).with_context(|| {
        format!("cannot create {}: set IOMMAP_CACHE to where it may be", parent.display())
    })?;
    let name = home.file_name().context("a cache directory has a name")?.to_string_lossy();
    let _lock = lock(&parent.join(format!("{name}.lock")))?;
    if is_made(home) {
        return Ok(());
    }
    let prefix = format!("{name}.making-");
    clear_leftovers(parent, &prefix);
    let tmp = parent.join(format!("{prefix}{}", std::process::id()));
    fs::create_dir(&tmp).with_context(|| format!("cannot create {}", tmp.display()))?;
    let made = fill(&tmp).and_then(|()| {
        fs::write(tmp.join(STAMP), "")?;
        if home.exists() {
            fs::remove_dir_all(home)?;
        }
        fs::rename(&tmp, home).with_context(|| format!("cannot move it to {}", home.display()))
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&tmp);
    }
    made
}

pub(crate) fn lock(path: &Path) -> Result<File> {
    let why = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(why)?;
    if file.try_lock().is_err() {
        say("another run is setting the same thing up: waiting for it");
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
    use anyhow::bail;

    #[test]
    fn a_directory_is_made_once_and_never_half() {
        let parent = std::env::temp_dir().join(format!("iommap-cache-{}", std::process::id()));
        let home = parent.join("it");
        let failed = make_once(&home, |dir| {
            fs::write(dir.join("half"), "")?;
            bail!("no")
        });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        assert!(!is_made(&home) && !home.exists());

        make_once(&home, |dir| Ok(fs::write(dir.join("file"), "1")?)).unwrap();
        make_once(&home, |_| panic!("it is made")).unwrap();
        assert!(is_made(&home));
        assert_eq!(fs::read_to_string(home.join("file")).unwrap(), "1");
        let mut names: Vec<_> =
            fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["it", "it.lock"], "nothing else is left behind");
        fs::remove_dir_all(&parent).unwrap();
    }
}
