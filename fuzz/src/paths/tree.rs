//! The directory full of traps, and what it must look like.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// `in` is granted; beside it is `outside`, which nobody may reach.
pub(crate) struct Tree {
    root: PathBuf,
    whole: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    File(Vec<u8>),
    Link(PathBuf),
    Directory,
    Special,
}

impl Tree {
    pub(crate) fn new(root: PathBuf) -> Tree {
        build(&root).expect("a directory full of traps");
        let whole = look(&root);
        Tree { root, whole }
    }

    pub(crate) fn granted(&self) -> PathBuf {
        self.root.join("in")
    }

    /// Is everything as it was made?
    pub(crate) fn is_whole(&self) -> bool {
        look(&self.root) == self.whole
    }

    /// Is everything but this file?
    pub(crate) fn is_whole_but_for(&self, path: &Path) -> bool {
        let mut now = look(&self.root);
        now.remove(path);
        let before = self.whole.iter().filter(|(name, _)| *name != path);
        now.iter().eq(before)
    }

    /// Makes everything as it was. Directories stay the same ones: the grants hold them open.
    pub(crate) fn restore(&self) {
        let now = look(&self.root);
        for path in now.keys().filter(|path| !self.whole.contains_key(*path)) {
            fs::remove_file(path).expect("a new file to remove");
        }
        for (path, entry) in &self.whole {
            if let Entry::File(contents) = entry
                && now.get(path) != Some(entry)
            {
                fs::write(path, contents).expect("a file to restore");
            }
        }
        assert!(self.is_whole(), "something has changed that can't be mended");
    }
}

fn build(root: &Path) -> std::io::Result<()> {
    let granted = root.join("in");
    let outside = root.join("outside");
    fs::create_dir_all(granted.join("d/d"))?;
    fs::create_dir_all(outside.join("d"))?;
    fs::write(outside.join("secret"), b"the secret")?;
    fs::write(outside.join("d/f"), b"the other secret")?;
    fs::write(granted.join("f"), [7; 5000])?;
    fs::write(granted.join("d/f"), [8; 100])?;
    fs::write(granted.join("d/d/f"), [9; 4096])?;
    fs::write(granted.join("empty"), b"")?;
    fs::write(granted.join(OsString::from_vec(vec![b'n', 0xff])), b"no UTF-8")?;
    let absolute = granted.join("f");
    let links: [(&str, &Path); 15] = [
        ("to-f", Path::new("f")),
        ("to-d", Path::new("d")),
        ("d/to-up", Path::new("..")),
        ("to-up", Path::new("..")),
        ("to-outside", Path::new("../outside")),
        ("to-secret", Path::new("../outside/secret")),
        ("to-absolute", Path::new("/")),
        ("to-inside-absolute", &absolute),
        ("loop-1", Path::new("loop-2")),
        ("loop-2", Path::new("loop-1")),
        ("dangling", Path::new("nowhere")),
        ("dangling-outside", Path::new("../outside/new")),
        ("chain-1", Path::new("chain-2")),
        ("chain-2", Path::new("d/d/../f")),
        ("magic", Path::new("/proc/self/root")),
    ];
    for (name, target) in links {
        symlink(target, granted.join(name))?;
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        granted.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )?;
    // The name stays when the listener goes.
    UnixListener::bind(granted.join("socket"))?;
    Ok(())
}

fn look(directory: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let kind = fs::symlink_metadata(&path).expect("an entry's kind").file_type();
            let entry = if kind.is_dir() {
                directories.push(path.clone());
                Entry::Directory
            } else if kind.is_symlink() {
                Entry::Link(fs::read_link(&path).expect("a link"))
            } else if kind.is_fifo() || kind.is_socket() {
                Entry::Special
            } else {
                Entry::File(fs::read(&path).expect("a file"))
            };
            entries.insert(path, entry);
        }
    }
    entries
}
