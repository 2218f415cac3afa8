//! Paths and open options, in a directory full of traps.

mod tree;

use crate::place;
use iommap::{AccessMode, FsPerms, Grants, Limits, Usage};
use iommap_model::{Open, options};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use tree::Tree;

/// A file may be made this long.
const FILE_BYTES: u64 = 20_000;

/// What paths are made of, beside single characters.
const PIECES: [&str; 40] = [
    "/",
    "f",
    "d",
    "/",
    "..",
    "/",
    ".",
    "/g",
    "/r",
    "/g/n",
    "new",
    "//",
    "to-f",
    "to-d",
    "to-up",
    "to-outside",
    "to-absolute",
    "to-inside-absolute",
    "loop-1",
    "dangling",
    "dangling-outside",
    "chain-1",
    "fifo",
    "socket",
    "magic",
    "n",
    "../",
    "./",
    "d/d/f",
    "empty",
    "secret",
    "outside",
    "in",
    "\0",
    "é",
    "\u{202e}",
    "proc/self/root",
    "f/",
    "to-secret",
    LONG_NAME,
];

/// 254 bytes: with one more the longest that a name may be.
const LONG_NAME: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

struct Place {
    tree: Tree,
    grants: Grants,
}

/// Opens a path with options, and looks at what that did to everything around.
///
/// # Panics
///
/// If a file outside the grants was reached or changed, if a failure changed anything, if a
/// success did not do what was asked for, or if what is plainly allowed was refused.
pub fn paths(data: &[u8]) {
    let Some(([access, flags, size], rest)) = data.split_first_chunk() else { return };
    let path = path(rest);
    let ask = ask(*access, *flags, *size);
    PLACE.with_borrow_mut(|place| {
        let place = place.get_or_insert_with(Place::new);
        let changed = place.attempt(&path, &ask);
        if changed {
            place.tree.restore();
        }
    });
}

fn path(data: &[u8]) -> String {
    let mut path = String::new();
    for byte in data.iter().take(60) {
        match byte {
            0..=127 => path.push_str(PIECES[usize::from(*byte) % PIECES.len()]),
            // The path so far once more, to reach every limit on its length.
            255 if path.len() < 4000 => path.push_str(&path.clone()),
            other => path.push(char::from(other - 128)),
        }
    }
    path
}

/// Is a file to be mapped for reading as it is?
fn plain(ask: &Open) -> bool {
    let rest = ask.changes() || ask.private || ask.lock || ask.size.is_some();
    ask.access == AccessMode::Read && !rest
}

fn ask(access: u8, flags: u8, size: u8) -> Open {
    let access =
        [AccessMode::Read, AccessMode::ReadWrite, AccessMode::Write][usize::from(access % 3)];
    let bit = |n: u8| flags >> n & 1 == 1;
    Open {
        create: bit(0),
        truncate: bit(1),
        exclusive: bit(2),
        private: bit(3),
        shared: bit(4),
        populate: bit(5),
        nocache: bit(6),
        lock: bit(7),
        size: match size {
            0..=99 => None,
            100..=199 => Some(u64::from(size - 100) * 150),
            200..=229 => Some(FILE_BYTES - 10 + u64::from(size - 200)),
            other => Some(u64::MAX - u64::from(other - 230)),
        },
        // The path says which file.
        ..Open::plain(0, access)
    }
}

impl Place {
    fn new() -> Place {
        let tree = Tree::new(place::make("paths"));
        let mut grants = Grants::default();
        let mut grant = |directory: &Path, name, perms| {
            grants.preopened_dir(directory, name, perms).expect("a directory to grant");
        };
        grant(&tree.granted(), "/g", FsPerms::ReadWrite);
        grant(&tree.granted(), "r", FsPerms::ReadOnly);
        grant(&tree.granted().join("d"), "/g/n", FsPerms::ReadWrite);
        Place { tree, grants }
    }

    /// Opens, and checks everything. Tells whether the tree has changed.
    fn attempt(&self, path: &str, ask: &Open) -> bool {
        let mut limits = Limits::default();
        limits.file_bytes = FILE_BYTES;
        limits.locked_bytes = 4096;
        let usage = Usage::new(limits);
        let named = self.named(path);
        // What the kernel makes of the path, without any grant.
        let real = named.as_ref().and_then(|(file, _)| fs::canonicalize(file).ok());
        let old = real.as_ref().and_then(|real| content(real));

        let opened = self.grants.open(&usage, path, &options(ask));
        let what = format!("{path:?} with {ask:?}");
        let mapping = match opened {
            Err(error) => {
                assert!(self.tree.is_whole(), "{what}: {error} and something has changed");
                assert!(!self.plainly_allowed(path, ask, real.as_deref()), "{what}: {error}");
                assert_eq!(usage.counters().mapped_bytes, 0, "{what}");
                return false;
            }
            Ok(mapping) => mapping,
        };

        let (file, read_only) = named.unwrap_or_else(|| panic!("{what}: no grant, and opened"));
        let real = fs::canonicalize(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(real.starts_with(self.tree.granted()), "{what}: reached {}", real.display());
        assert!(!ask.contradicts_itself(), "{what}: invalid, and opened");
        let made = old.is_none();
        assert!(!made || ask.create, "{what}: made, and nobody asked for it");
        assert!(made || !ask.exclusive, "{what}: there was such a file");
        assert!(!read_only || self.tree.is_whole(), "{what}: changed by a grant for reading");

        let mut expected = if ask.truncate { Vec::new() } else { old.unwrap_or_default() };
        let size = ask.size.unwrap_or(0).max(expected.len() as u64);
        assert!(size <= FILE_BYTES, "{what}: longer than allowed");
        expected.resize(size as usize, 0);
        assert!(
            content(&real).as_ref() == Some(&expected),
            "{what}: the file is not as it must be"
        );
        assert_eq!(mapping.len(), Ok(size), "{what}");
        if ask.access.reads() {
            let mut bytes = vec![1; expected.len()];
            mapping.pread(0, &mut bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(bytes == expected, "{what}: the mapping shows something else");
        }
        drop(mapping);
        assert_eq!(usage.counters().mapped_bytes, 0, "{what}");
        assert!(self.tree.is_whole_but_for(&real), "{what}: something else has changed");
        !self.tree.is_whole()
    }

    /// The host's path of a guest's path, put together naively, and whether its grant is for
    /// reading only. Where it leads is another question.
    fn named(&self, path: &str) -> Option<(PathBuf, bool)> {
        let parts: Vec<&str> =
            path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let (directory, read_only, rest) = match parts.as_slice() {
            _ if path.contains('\0') => return None,
            ["g", "n", rest @ ..] => (self.tree.granted().join("d"), false, rest),
            ["g", rest @ ..] => (self.tree.granted(), false, rest),
            ["r", rest @ ..] => (self.tree.granted(), true, rest),
            _ => return None,
        };
        let mut file = directory.into_os_string();
        for part in rest {
            file.push("/");
            file.push(part);
        }
        if path.ends_with('/') || path.ends_with("/.") {
            file.push("/");
        }
        Some((file.into(), read_only))
    }

    /// An existing regular file, by a path without detours, mapped for reading as it is.
    fn plainly_allowed(&self, path: &str, ask: &Open, real: Option<&Path>) -> bool {
        let detour = |part: &str| part == ".." || part.contains("absolute") || part == "magic";
        plain(ask)
            && path.len() < 4000
            && !path.split('/').any(|part| detour(part) || part == "to-up")
            && real.is_some_and(|real| real.starts_with(self.tree.granted()) && real.is_file())
    }
}

fn content(path: &Path) -> Option<Vec<u8>> {
    // A FIFO would make us wait.
    fs::metadata(path).ok().filter(|metadata| metadata.is_file())?;
    fs::read(path).ok()
}
