//! What an embedder grants to a guest, directories and mappings, and how a guest's path finds its
//! grant.
//!
//! A path belongs to the grant whose guest name is its longest prefix, name by name, as WASI
//! does with preopened directories. Inside the grant it is cap-std that resolves the rest
//! (openat2 with RESOLVE_BENEATH on Linux): no string is ever checked for `..`.

mod changes;
mod inside;
mod name;

use crate::error::{Error, ErrorKind};
use crate::mapping::{FsPerms, Mapped, Mapping, OpenOptions, Request, SharedMemory};
use crate::usage::Usage;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use inside::is_inside;
use name::Name;
use std::io;
use std::path::Path;
use std::sync::Arc;

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
    common_regions: bool,
}

/// One granted directory or mapping.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// The guest's name for it.
    name: Name,
    /// The same, as it was given.
    pub(crate) guest_path: Arc<str>,
    /// Where it was found, unless it was open already.
    pub(crate) host_path: Option<Arc<Path>>,
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
    /// Regions of memory, by name.
    Memory(SharedMemory),
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
    /// The directory cannot be opened; or of two granted directories one lies inside the other,
    /// and the inner one is for reading only while the outer one is not: a guest would reach the
    /// inner one's files through the outer one, by `..` or by a link, and write to them.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> io::Result<&mut Grants> {
        let host_path = host_path.as_ref();
        let cannot = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot grant {}: {error}", host_path.display()))
        };
        let dir = Dir::open_ambient_dir(host_path, ambient_authority()).map_err(cannot)?;
        self.preopened(dir, guest_path, perms).map_err(cannot)?;
        if let Some(grant) = self.grants.last_mut() {
            grant.host_path = Some(host_path.into());
        }
        Ok(self)
    }

    /// Grants a directory that is open already. See [`preopened_dir`](Grants::preopened_dir).
    ///
    /// # Errors
    ///
    /// It lies inside another, or another inside it, as said there.
    pub fn preopened(
        &mut self,
        dir: Dir,
        guest_path: impl AsRef<str>,
        perms: FsPerms,
    ) -> io::Result<&mut Grants> {
        let new = Grant::new(guest_path.as_ref(), Place::Dir(Arc::new(dir)), perms);
        for old in self.grants.iter().filter(|old| old.name != new.name) {
            if new.writes_into(old)? || old.writes_into(&new)? {
                let (one, other) = (&new.guest_path, &old.guest_path);
                let why = format!(
                    "{one} and {other} overlap on the host, and the inner directory is granted for \
                     reading only: what is written through the outer one would change it"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        }
        Ok(self.add(new))
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
    ///   [makes longer or shorter](Mapping::set_len) later, they see when they open it again. Once it is
    ///   closed, opening it is `enoent`, and who has it open keeps it.
    ///
    /// The name is a grant's, and may lie in a granted directory, where it takes the place of a file
    /// of that name: the longest name counts, and of two that are the same the later. The file
    /// itself stays within reach of the directory's grant, by `..` or by a link: what a guest must
    /// not see does not belong in a directory that it is granted.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("index");
    /// # std::fs::write(&path, b"entries")?;
    /// use iommap::{FsPerms, Grants, Limits, Mapping, OpenOptions, Usage};
    /// let index = Mapping::open(&path)?;
    ///
    /// let mut guests = Grants::default();
    /// guests.share("/shared/index", index, FsPerms::ReadOnly);
    /// let usage = Usage::new(Limits::default());
    /// let one = guests.open(&usage, "/shared/index", &OpenOptions::new().read(true))?;
    /// assert_eq!(one.len(), Ok(7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn share(
        &mut self,
        guest_path: impl AsRef<str>,
        mapping: impl Into<Arc<Mapping>>,
        perms: FsPerms,
    ) -> &mut Grants {
        self.add(Grant::new(guest_path.as_ref(), Place::Mapping(mapping.into()), perms))
    }

    /// Grants a pool of shared memory, whose regions the guest opens as files of a directory that is
    /// called `guest_path` and has no others in it. All who are granted the same pool see the same
    /// regions: `create` makes one, and `exclusive`, `truncate` and `size` act on it as on a file.
    ///
    /// - With [`FsPerms::ReadOnly`] a guest makes none, and writes to none.
    /// - What a guest may map and how long it may make a file bounds it here too. Whoever may write
    ///   can use up all that the pool has; the next is told [`ErrorKind::LimitExceeded`].
    /// - Nobody but the host [removes](SharedMemory::remove) a region. It is there for who comes
    ///   later, also when all guests that had it are gone.
    /// - Locks are of the region. WASI knows nothing of it.
    ///
    /// See [`SharedMemory`] for an example.
    pub fn shared_memory(
        &mut self,
        guest_path: impl AsRef<str>,
        memory: &SharedMemory,
        perms: FsPerms,
    ) -> &mut Grants {
        self.add(Grant::new(guest_path.as_ref(), Place::Memory(memory.clone()), perms))
    }

    /// Whether a file that is mapped already, with the same mode and at the same length, by
    /// anybody in this process whose grants say so too, is mapped a second time (`false`, the
    /// default here) or both use one region (`true`, the default of an `IommapCtxBuilder`).
    ///
    /// The guest opens the file as before, and what it may do is checked as before; it sees the
    /// same bytes either way. One region is one range of address space with one set of page
    /// tables, however many use it. A region of their own have mappings that are locked, `private`
    /// ones, those that gave a hint that lasts (see [`Mapping::advise`]), and files on file systems
    /// where the same identity need not mean the same bytes: overlayfs, NFS, FUSE and others.
    ///
    /// Off, no time that an access takes tells a guest which pages another store has touched
    /// through its mapping (whether they are in memory at all, it can tell in any case).
    pub fn common_regions(&mut self, common: bool) -> &mut Grants {
        self.common_regions = common;
        self
    }

    pub(crate) fn has_common_regions(&self) -> bool {
        self.common_regions
    }

    /// Adds a grant, which counts before all others of its name.
    fn add(&mut self, grant: Grant) -> &mut Grants {
        self.grants.retain(|old| old.name != grant.name);
        self.grants.push(grant);
        self
    }

    /// Opens a file that a guest names and maps it (`openat`, `mmap`), or a mapping that the
    /// embedder [shares](Grants::share) under that name. It counts for `usage`.
    ///
    /// Where the grants [say so](Grants::common_regions), a file that is mapped already, with the
    /// same mode and length, is not mapped a second time: both use one region.
    ///
    /// A failure leaves no file that `create` made, where the file system can make one without a
    /// name (else an empty one may stay), and none that `truncate` meant to empty is changed. A
    /// file that has grown to `size` by then stays as long as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Badarg`] for contradictory options, a NUL in the path, or a `size` beyond the
    /// file's length in mode `read`; [`ErrorKind::Eacces`] for a path outside the grants or for more
    /// than a grant allows; [`ErrorKind::Enoent`], [`ErrorKind::Eexist`], [`ErrorKind::Enotreg`],
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::Enomem`], [`ErrorKind::Enospc`],
    /// [`ErrorKind::Efbig`], [`ErrorKind::Emfile`], [`ErrorKind::Enotsup`], [`ErrorKind::Eio`].
    pub fn open(
        &self,
        usage: &Arc<Usage>,
        path: &str,
        options: &OpenOptions,
    ) -> Result<Mapping, Error> {
        self.map(usage, path, options).map(Mapping::from)
    }

    /// [`open`](Grants::open), for an owner who needs no lock.
    pub(crate) fn map(
        &self,
        usage: &Arc<Usage>,
        path: &str,
        options: &OpenOptions,
    ) -> Result<Mapped, Error> {
        let access = options.validate()?;
        let (grant, rest) = self.resolve(path)?;
        let changes = options.writes_file() || options.changes_names_or_contents();
        if grant.perms == FsPerms::ReadOnly && changes {
            let reason = format!("the grant `{}` is for reading only", grant.guest_path);
            return Err(Error::because(ErrorKind::Eacces, reason));
        }
        let common = self.common_regions;
        let request = Request::new(path, grant.perms, options, access, usage, common)?;
        let opened = match &grant.place {
            Place::Dir(dir) => request.open_in(dir, rest),
            Place::Mapping(mapping) => request.lend(mapping, grant.name.is(path)),
            Place::Memory(memory) => request.open_memory(memory, rest),
        };
        opened.map_err(|error| match (error.kind(), error.errno()) {
            // The kernel's words for a way that leads out, or cap-std's.
            (ErrorKind::Eacces, Some(libc::EXDEV | libc::ELOOP) | None)
                if error.reason().is_none_or(|reason| reason.contains("outside")) =>
            {
                error.with_reason(format!("the path leads out of the grant `{}`", grant.guest_path))
            }
            _ => error,
        })
    }

    /// Every granted directory in the order in which they were granted: where it was found (`None`
    /// if it was open already), the guest's name for it, and what may be done there.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let dir = tempfile::tempdir()?;
    /// # let host_dir = dir.path();
    /// use iommap::{FsPerms, Grants};
    /// let mut grants = Grants::default();
    /// grants.preopened_dir(host_dir, "/data", FsPerms::ReadOnly)?;
    /// let listed: Vec<_> = grants.directories().collect();
    /// assert_eq!(listed, [(Some(host_dir), "/data", FsPerms::ReadOnly)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn directories(&self) -> impl Iterator<Item = (Option<&Path>, &str, FsPerms)> {
        self.open_directories()
            .map(|(_, grant)| (grant.host_path.as_deref(), &*grant.guest_path, grant.perms))
    }

    /// The same, as they are open here.
    pub(crate) fn open_directories(&self) -> impl Iterator<Item = (&Dir, &Grant)> {
        self.grants.iter().filter_map(|grant| match &grant.place {
            Place::Dir(dir) => Some((&**dir, grant)),
            Place::Mapping(_) | Place::Memory(_) => None,
        })
    }

    /// The grant that a guest's path falls in, and the path inside it.
    pub(crate) fn resolve<'a, 'p>(&'a self, path: &'p str) -> Result<(&'a Grant, &'p str), Error> {
        if path.contains('\0') {
            return Err(Error::because(ErrorKind::Badarg, "a NUL in the path"));
        }
        if path.is_empty() {
            return Err(ErrorKind::Enoent.into());
        }
        self.grants
            .iter()
            .filter_map(|grant| Some((grant, grant.name.strip(path)?)))
            .max_by_key(|(grant, _)| grant.name.depth())
            .ok_or_else(|| self.not_covered())
    }

    /// No grant covers a path.
    fn not_covered(&self) -> Error {
        let reason = match &self.grants[..] {
            [] => "nothing is granted".to_owned(),
            grants => {
                let names: Vec<&str> = grants.iter().map(|grant| &*grant.guest_path).collect();
                format!("no grant covers it; granted: {}", names.join(", "))
            }
        };
        Error::because(ErrorKind::Eacces, reason)
    }
}

impl Grant {
    fn new(guest_path: &str, place: Place, perms: FsPerms) -> Grant {
        let name = Name::new(guest_path);
        Grant { name, guest_path: guest_path.into(), host_path: None, place, perms }
    }

    /// May files be written through this grant that lie in another one, for reading only?
    fn writes_into(&self, other: &Grant) -> io::Result<bool> {
        match (&self.place, self.perms, &other.place, other.perms) {
            (Place::Dir(outer), FsPerms::ReadWrite, Place::Dir(inner), FsPerms::ReadOnly) => {
                is_inside(inner, outer)
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests;
