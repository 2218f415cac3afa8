//! What an embedder grants to a guest, directories and mappings, and how a guest's path finds its
//! grant.
//!
//! A path belongs to the grant whose guest name is its longest prefix, name by name, as WASI
//! does with preopened directories. Inside the grant it is cap-std that resolves the rest
//! (openat2 with RESOLVE_BENEATH on Linux): no string is ever checked for `..`.

use crate::error::Error;
use crate::mapping::Mapping;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a guest may do in a granted directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsPerms {
    /// Map files for reading, and `private` in any mode.
    ReadOnly,
    /// Also create, empty, grow, cut and write files.
    ReadWrite,
}

#[cfg(feature = "wasi")]
impl From<wasmtime_wasi::FsPerms> for FsPerms {
    fn from(perms: wasmtime_wasi::FsPerms) -> FsPerms {
        match perms {
            wasmtime_wasi::FsPerms::ReadOnly => FsPerms::ReadOnly,
            wasmtime_wasi::FsPerms::ReadWrite => FsPerms::ReadWrite,
        }
    }
}

/// What is granted to one store. Nothing is by default.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let dir = tempfile::tempdir()?;
/// # let host_dir = dir.path();
/// use iommap::{FsPerms, Grants};
/// let mut grants = Grants::default();
/// grants.preopened_dir(host_dir, "/data", FsPerms::ReadOnly)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Grants {
    grants: Vec<Grant>,
    share_regions: bool,
}

/// One granted directory or mapping.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The guest's name for it, in parts: `/data/in` is `["data", "in"]`, `.` is empty.
    name: Vec<String>,
    pub(crate) place: Place,
    pub(crate) perms: FsPerms,
}

/// What a grant's name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A directory, and all that is in it.
    Dir(Arc<Dir>),
    /// A mapping of the embedder's.
    Mapping(Arc<Mapping>),
}

impl Grants {
    /// Grants a directory of the host to the guest under the name `guest_path`.
    ///
    /// A leading `/` and `.` parts do not matter in the name, as in WASI: `data`, `/data` and
    /// `./data` are the same grant, and `.` (or `/`) covers every path that no longer name
    /// covers. Of two grants with one name the later counts.
    ///
    /// # Errors
    ///
    /// The directory cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> io::Result<&mut Grants> {
        let host_path = host_path.as_ref();
        let dir = Dir::open_ambient_dir(host_path, ambient_authority()).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot grant {}: {error}", host_path.display()))
        })?;
        Ok(self.preopened(dir, guest_path, perms))
    }

    /// Grants a directory that is open already. See [`preopened_dir`](Grants::preopened_dir).
    pub fn preopened(
        &mut self,
        dir: Dir,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> &mut Grants {
        self.grant(guest_path.as_ref(), Place::Dir(Arc::new(dir)), perms)
    }

    /// Shares a mapping with the guest, which opens it as it opens a file, by the path
    /// `guest_path`. Any number of guests may have it: it stays one range of the host's address
    /// space, and no file is opened for them.
    ///
    /// - The guest reads, and with [`FsPerms::ReadWrite`] writes, as far as the mapping's own
    ///   [mode](crate::AccessMode) allows: anything more is `eacces`. What is written to a
    ///   private mapping is seen by all who share it, and not by the file.
    /// - The guest's mapping counts against its own limits, faults when the file is cut as any
    ///   other does, and its `close` closes nothing else. It can't change the file's length:
    ///   `truncate`, as an operation and as an option, and a larger `size` are `eacces`.
    ///   `exclusive` is `eexist`; `lock`, and `private` for writing, are `enotsup`. Its hints are
    ///   not applied, but for `willneed`; those of the embedder's mapping are felt by all.
    /// - The mapping stays the embedder's. Guests get what it is when they open it: one that it
    ///   [truncates](Mapping::truncate) later, they see when they open it again. Once it is
    ///   closed, opening it is `enoent`, and who has it open keeps it.
    ///
    /// The name is a grant's, and may lie in a granted directory, where it hides a file of that
    /// name: the longest name counts, and of two that are the same the later.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # std::fs::write(dir.path().join("index"), b"entries")?;
    /// use iommap::{AccessMode, Account, FsPerms, Grants, Limits, Mapping, OpenOptions};
    /// let mut own = Grants::default();
    /// own.preopened_dir(dir.path(), "/", FsPerms::ReadOnly)?;
    /// let read = OpenOptions::new(AccessMode::Read);
    /// let index = Mapping::open(&own, &Account::new(Limits::default()), "/index", &read)?;
    ///
    /// let mut guests = Grants::default();
    /// guests.share("/shared/index", index, FsPerms::ReadOnly);
    /// let one = Mapping::open(&guests, &Account::new(Limits::default()), "/shared/index", &read)?;
    /// assert_eq!(one.position(), Ok(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(
        &mut self,
        guest_path: impl AsRef<str>,
        mapping: impl Into<Arc<Mapping>>,
        perms: FsPerms,
    ) -> &mut Grants {
        self.grant(guest_path.as_ref(), Place::Mapping(mapping.into()), perms)
    }

    /// Whether a file that is mapped already, with the same mode and at the same length, by
    /// anybody in this process whose grants say so too, is mapped a second time (`false`, the
    /// default here) or both use one region (`true`, the default of an `IommapCtxBuilder`).
    ///
    /// The guest opens the file as before, and what it may do is checked as before; it sees the
    /// same bytes either way. One region is one range of address space with one set of page
    /// tables, however many use it. Mappings that are locked, `private` ones for writing, and
    /// files whose file system does not tell when they were created, have a region of their own.
    ///
    /// Off, no time that an access takes tells a guest which pages another store has touched
    /// through its mapping (whether they are in memory at all, it can tell in any case), and a
    /// guest's hints are applied at once: see [`Mapping::advise`].
    pub fn share_regions(&mut self, share: bool) -> &mut Grants {
        self.share_regions = share;
        self
    }

    pub(crate) fn shares_regions(&self) -> bool {
        self.share_regions
    }

    fn grant(&mut self, guest_path: &str, place: Place, perms: FsPerms) -> &mut Grants {
        let name = parts(guest_path).map(|(part, _)| part.to_owned()).collect();
        self.grants.push(Grant { name, place, perms });
        self
    }

    /// The grant that a guest's path falls in, and the path inside it.
    pub(crate) fn resolve<'a, 'p>(&'a self, path: &'p str) -> Result<(&'a Grant, &'p str), Error> {
        if path.contains('\0') {
            return Err(Error::BadArg);
        }
        if path.is_empty() {
            return Err(Error::NoEnt);
        }
        self.grants
            .iter()
            .filter_map(|grant| Some((grant, grant.strip(path)?)))
            // Of equals `max_by_key` takes the last: the later grant of one name counts.
            .max_by_key(|(grant, _)| grant.name.len())
            .ok_or(Error::Acces)
    }
}

impl Grant {
    /// Is a path this grant's name, with nothing behind it?
    pub(crate) fn is_named_by(&self, path: &str) -> bool {
        self.behind(path) == Some("")
    }

    /// What is left of a path below this grant's name; `.` if the path is the name itself.
    fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        // Relative to the grant, whatever the guest wrote; a trailing slash is kept, since it
        // says that a directory is meant.
        let rest = self.behind(path)?.trim_start_matches('/');
        Some(if rest.is_empty() { "." } else { rest })
    }

    /// What a path has behind this grant's name.
    fn behind<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut rest = path;
        let mut found = parts(path);
        for name in &self.name {
            let (part, after) = found.next()?;
            if part != name {
                return None;
            }
            rest = after;
        }
        Some(rest)
    }
}

/// The parts of a path, empty ones and `.` left out, each with what follows it.
fn parts(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = path;
    std::iter::from_fn(move || {
        loop {
            let start = rest.trim_start_matches('/');
            if start.is_empty() {
                return None;
            }
            let end = start.find('/').unwrap_or(start.len());
            let (part, after) = start.split_at(end);
            rest = after;
            if part != "." {
                return Some((part, after));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(names: &[&str]) -> Grants {
        let mut grants = Grants::default();
        for name in names {
            grants.preopened_dir(".", name, FsPerms::ReadOnly).unwrap();
        }
        grants
    }

    fn resolve(names: &[&str], path: &str) -> Result<(String, String), Error> {
        let grants = grants(names);
        let (grant, rest) = grants.resolve(path)?;
        Ok((grant.name.join("/"), rest.to_owned()))
    }

    fn found(name: &str, rest: &str) -> Result<(String, String), Error> {
        Ok((name.to_owned(), rest.to_owned()))
    }

    #[test]
    fn given_nested_grants_when_a_path_is_resolved_then_the_longest_name_wins() {
        let names = ["/data", "/data/in", "."];
        assert_eq!(resolve(&names, "/data/in/f"), found("data/in", "f"));
        assert_eq!(resolve(&names, "data/./in//f"), found("data/in", "f"));
        assert_eq!(resolve(&names, "/data/inner/f"), found("data", "inner/f"));
        assert_eq!(resolve(&names, "/datafile"), found("", "datafile"));
        assert_eq!(resolve(&names, "/data/in"), found("data/in", "."));
        assert_eq!(resolve(&names, "/data/in/"), found("data/in", "."));
    }

    #[test]
    fn given_dots_in_a_path_when_resolved_then_they_are_left_to_the_file_system() {
        assert_eq!(resolve(&["/data"], "/data/../etc/f"), found("data", "../etc/f"));
        assert_eq!(resolve(&["/data"], "/x/../data/f"), Err(Error::Acces));
        assert_eq!(resolve(&["/data"], "data/f/"), found("data", "f/"));
    }

    #[test]
    fn given_a_grants_name_when_compared_then_only_the_name_itself_is_it() {
        let grants = grants(&["/shared/index"]);
        let is_named_by = |path| grants.grants[0].is_named_by(path);
        for same in ["/shared/index", "shared/index", "./shared//./index"] {
            assert!(is_named_by(same), "{same}");
        }
        for other in ["/shared/index/", "/shared/index/.", "/shared/index/x", "/shared", "/x", ""] {
            assert!(!is_named_by(other), "{other}");
        }
    }

    #[test]
    fn given_no_grant_or_a_bad_path_when_resolved_then_it_says_why() {
        assert_eq!(resolve(&[], "f"), Err(Error::Acces));
        assert_eq!(resolve(&["/data"], "f"), Err(Error::Acces));
        assert_eq!(resolve(&[], "a\0b"), Err(Error::BadArg));
        assert_eq!(resolve(&["."], ""), Err(Error::NoEnt));
    }
}
