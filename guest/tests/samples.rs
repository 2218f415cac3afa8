//! Holds the samples and the templates of `iommap new` to what they promise: each folder stands
//! alone, with copies of the WIT and of other files that are the same. That they build and run where
//! they are copied to is tried by `guest-example/copies.sh`.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of samples, and those of templates where the command line is a crate.
fn folders() -> Vec<PathBuf> {
    let folders = ["guest-example", "cli/templates"].map(|dir| root().join(dir));
    let entries = folders.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten();
    let made = ["target", ".cargo"].map(|name| Some(name.as_ref()));
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.retain(|path| path.is_dir() && !made.contains(&path.file_name()));
    folders
}

/// The files below a folder that are its sources.
fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    const MADE: [&str; 7] =
        ["target", "node_modules", "bindings", "build", "venv", "__pycache__", "package"];
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(!path.is_symlink() || MADE.contains(&&*name), "{} is a link", path.display());
        if path.is_dir() && !MADE.contains(&&*name) {
            files(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}

#[test]
fn each_sample_stands_alone_in_its_folder() {
    let folders = folders();
    assert!(folders.len() > 7, "{folders:?}");
    for folder in folders {
        let readme = fs::read_to_string(folder.join("README.md"));
        let readme = readme.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert!(readme.contains("\n```sh\n"), "{}: no commands", folder.display());
        let mut sources = Vec::new();
        files(&folder, &mut sources);
        for path in sources {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let depth = path.strip_prefix(&folder).expect("below it").components().count();
            let out = "../".repeat(depth);
            let leads_out =
                |line: &&str| ["\"", "(", " "].iter().any(|c| line.contains(&format!("{c}{out}")));
            for line in text.lines().filter(leads_out) {
                let manifest = path.file_name() == Some("Cargo.toml".as_ref());
                let ours = ["iommap-guest = ", "memmap2 = "];
                let ours = manifest && ours.iter().any(|name| line.starts_with(name));
                assert!(ours, "{}: {line}", path.display());
            }
        }
    }
}

/// With `IOMMAP_WRITE=1` in the environment the copies are made.
#[test]
fn copies_are_what_they_are_copies_of() {
    let mut copies = Vec::new();
    for folder in ["guest-example", "cli/templates"].map(|dir| root().join(dir)) {
        if folder.is_dir() {
            files(&folder, &mut copies);
        }
    }
    let mut pairs = Vec::new();
    for name in
        ["iommap.wit", "windows.wit", "locks.wit", "storage.wit", "changes.wit", "atomics.wit"]
    {
        let original = ["wit/", name].concat();
        let named = copies.iter().filter(|path| path.file_name() == Some(name.as_ref()));
        pairs.extend(named.map(|copy| (original.clone(), copy.clone())));
    }
    assert!(pairs.len() >= 5, "{copies:?}");
    for (original, copy) in [
        ("guest-example/logs/build.mjs", "js/build.mjs"),
        ("guest-example/search-c/componentize/src/main.rs", "c/componentize/src/main.rs"),
    ] {
        pairs.push((original.to_owned(), root().join("cli/templates").join(copy)));
    }
    for (original, copy) in pairs {
        if std::env::var_os("IOMMAP_WRITE").is_some() {
            fs::copy(root().join(&original), &copy).expect("a copy");
        }
        let [one, other] = [&root().join(&original), &copy].map(fs::read_to_string);
        let same = one.expect("an original") == other.expect("a copy");
        assert!(same, "{} is not {original}: set IOMMAP_WRITE=1", copy.display());
    }
}
