//! What something is made of, in a few bytes.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// What is never a source: what users make in a sample's folder by its README.
const MADE: [&str; 3] = ["node_modules", "__pycache__", "bindings"];

/// A digest in the making.
#[derive(Default)]
pub(super) struct Input(Sha256);

impl Input {
    /// Adds a file, or all files of a directory in the order of their names. Links are followed.
    pub(super) fn add(&mut self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot read {}", path.display());
        if path.is_dir() {
            let mut entries: Vec<_> = fs::read_dir(path)
                .and_then(Iterator::collect::<Result<_, _>>)
                .with_context(cannot)?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                let made = MADE.iter().any(|made| name == *made);
                let path = entry.path();
                if !made && path.extension().is_none_or(|ext| ext != "wasm" && ext != "md") {
                    self.add(&path)?;
                }
            }
            return Ok(());
        }
        let content = fs::read(path).with_context(cannot)?;
        // The lengths keep what belongs to one file from being taken for another's.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for part in [name, &content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        Ok(())
    }

    /// The digest, in hexadecimal.
    pub(super) fn digest(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_counts_and_nothing_that_is_made_of_them() {
        let dir = std::env::temp_dir().join(format!("iommap-input-{}", std::process::id()));
        fs::create_dir_all(dir.join("src")).unwrap();
        let digest = || {
            let mut input = Input::default();
            input.add(&dir).unwrap();
            input.digest()
        };
        fs::write(dir.join("src/a.c"), "int a;").unwrap();
        let first = digest();
        assert_eq!(first.len(), 64);

        fs::create_dir_all(dir.join("node_modules")).unwrap();
        for made in ["a.wasm", "README.md", "node_modules/x.js"] {
            fs::write(dir.join(made), "made").unwrap();
        }
        assert_eq!(digest(), first);

        fs::write(dir.join("src/a.c"), "int b;").unwrap();
        let changed = digest();
        assert_ne!(changed, first);
        fs::rename(dir.join("src/a.c"), dir.join("src/b.c")).unwrap();
        assert_ne!(digest(), changed);
        assert!(Input::default().add(&dir.join("none")).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
