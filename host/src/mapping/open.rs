//! How a file becomes a mapping, and how a failure leaves the world as it was.

use super::glance::Glance;
use super::lease::{Lease, Manner, SharedRegion};
use super::options::{AccessMode, OpenOptions};
use super::platform;
use super::region::{Protection, Region};
use super::resize::shrink_back;
use super::{Mapping, State};
use crate::error::Error;
use crate::grants::{FsPerms, Grants, Place};
use crate::limits::{Account, Charge, Resource};
use cap_std::fs::{Dir, MetadataExt, OpenOptionsExt};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, RwLock};

/// How often `create` tries again when a file appears and vanishes between two calls, or when
/// the name is a link to nothing.
const CREATE_TRIES: usize = 16;

/// A FIFO must not make `open` wait, and a terminal must not become ours.
const OPEN_FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

impl Mapping {
    /// Opens a file that a guest names and maps it (`openat`, `mmap`), or a mapping that the
    /// embedder [shares](Grants::share) under that name.
    ///
    /// Where the grants [say so](Grants::share_regions), a file that is mapped already, with the
    /// same mode and length, is not mapped a second time: both use one region.
    ///
    /// A failure leaves the world as it was: no file that `create` made stays, and none that
    /// `truncate` meant to empty is changed.
    ///
    /// # Errors
    ///
    /// [`Error::BadArg`] for contradictory options, a NUL in the path, or a `size` beyond the
    /// file's length in mode `read`; [`Error::Acces`] for a path outside the grants or for more
    /// than a grant allows; [`Error::NoEnt`], [`Error::Exist`], [`Error::NotReg`],
    /// [`Error::LimitExceeded`], [`Error::NoMem`], [`Error::NoSpc`], [`Error::FBig`],
    /// [`Error::MFile`], [`Error::NotSup`], [`Error::Io`].
    pub fn open(
        grants: &Grants,
        account: &Arc<Account>,
        path: &str,
        options: &OpenOptions,
    ) -> Result<Mapping, Error> {
        options.validate()?;
        let (grant, rest) = grants.resolve(path)?;
        let writes_file = options.access.writes() && !options.private;
        if grant.perms == FsPerms::ReadOnly && (writes_file || options.changes_names_or_contents())
        {
            return Err(Error::Acces);
        }
        if options.lock && account.limits().locked_bytes == 0 {
            return Err(Error::Acces);
        }
        // Before the file system is asked: a store at its limit makes no work for it.
        let slot = Charge::new(account, Resource::Mappings, 1)?;
        let dir = match &grant.place {
            Place::Dir(dir) => dir,
            Place::Mapping(mapping) => {
                return mapping.lend(grant.is_named_by(path), options, account, slot);
            }
        };
        let Opened { file, writable, made } = open_file(dir, grant.perms, rest, options)?;
        // From here on nothing needs a descriptor: what has changed the file must not fail.
        let file = Arc::new(file);
        let sharing = grants.shares_regions();
        let mapping = map(&file, writable, options, account, slot, sharing);
        if let (Err(_), Some((dir, path))) = (&mapping, made) {
            unmake(file, dir, path);
        }
        mapping
    }
}

/// Maps an open file. `writable` says whether its length and contents may be changed through it.
fn map(
    file: &Arc<File>,
    writable: bool,
    options: &OpenOptions,
    account: &Arc<Account>,
    slot: Charge,
    sharing: bool,
) -> Result<Mapping, Error> {
    let stat = file.metadata()?;
    if !stat.file_type().is_file() {
        return Err(Error::NotReg);
    }
    let length = stat.len();
    let target = match options.size {
        Some(size) if options.truncate => size,
        Some(size) => size.max(length),
        None if options.truncate => 0,
        None => length,
    };
    let grows = target > length;
    if grows && options.access == AccessMode::Read {
        return Err(Error::BadArg);
    }
    if (grows || options.truncate) && !writable {
        return Err(Error::Acces);
    }
    if grows || options.truncate {
        account.check_file(target)?;
    }
    let mapped = Charge::new(account, Resource::MappedBytes, target)?;
    let locked = match options.lock {
        true => Some(Charge::new(account, Resource::LockedBytes, target)?),
        false => None,
    };

    // From what can be taken back to what can't: the region, the growth, the lock, and only
    // then the old contents.
    let manner = Manner {
        protection: protection(options),
        nocache: options.nocache,
        // Pages are locked for all who use them, until the region goes.
        sharing: sharing && !options.lock,
    };
    let region = Lease::new(SharedRegion::of(file, &stat, target, manner)?);
    if grows {
        platform::grow(file, length, target)?;
    }
    if let Err(error) = finish(&region, file, length, target, options) {
        if grows {
            shrink_back(file, length, target);
        }
        return Err(error);
    }

    let resizable = writable && options.access.writes() && !options.private;
    let file = resizable.then(|| file.clone());
    account.count_open();
    Ok(Mapping {
        access: options.access,
        account: account.clone(),
        nocache: options.nocache,
        sharing,
        glance: Glance::new(&region),
        state: RwLock::new(Some(State { region, file, mapped, locked, _slot: slot })),
        resizing: Mutex::new(()),
    })
}

fn finish(
    region: &Region,
    file: &File,
    length: u64,
    target: u64,
    options: &OpenOptions,
) -> Result<(), Error> {
    // A file that is to be emptied to less than it had is locked over what will be left of it.
    match (options.lock, options.truncate) {
        (false, _) => {}
        (true, false) => region.lock()?,
        // Not read in yet: a private mapping would keep copies of the old contents.
        (true, true) => region.lock_on_fault()?,
    }
    if options.truncate && length > 0 {
        platform::empty(file, length.max(target), target)?;
    }
    if options.lock && options.truncate {
        // Where the pages are the kernel's to lock already, this reads them in, and a failure is
        // one that the next touch of a page would meet.
        let locked = region.lock();
        if !platform::LOCKS_ON_FAULT {
            locked?;
        }
    }
    if options.populate {
        region.populate();
    }
    Ok(())
}

fn protection(options: &OpenOptions) -> Protection {
    match (options.private, options.access.writes()) {
        (false, false) => Protection::SharedRead,
        (false, true) => Protection::SharedWrite,
        (true, false) => Protection::PrivateRead,
        (true, true) => Protection::PrivateWrite,
    }
}

/// A file that was opened, and, if it was made, where.
struct Opened<'a> {
    file: File,
    writable: bool,
    made: Option<(&'a Dir, &'a str)>,
}

/// Removes a file that was made: only that one, and only while nobody else has put anything
/// into it.
fn unmake(file: Arc<File>, dir: &Dir, path: &str) {
    let made = file.metadata();
    // It may hold the last descriptor, and finding it by its name takes one.
    drop(file);
    let same = match (made, dir.symlink_metadata(path)) {
        (Ok(made), Ok(named)) => {
            made.len() == 0 && (made.dev(), made.ino()) == (named.dev(), named.ino())
        }
        _ => false,
    };
    if same {
        // Nothing more can be done; the error that led here is the one to report.
        let _ = dir.remove_file(path);
    }
}

/// Opens the file, making it where asked to.
fn open_file<'a>(
    dir: &'a Dir,
    perms: FsPerms,
    path: &'a str,
    options: &OpenOptions,
) -> Result<Opened<'a>, Error> {
    let existing = |writable| {
        let file = open_in(dir, path, writable, false)?;
        io::Result::Ok(Opened { file, writable, made: None })
    };
    let new = || {
        let file = open_in(dir, path, true, true)?;
        io::Result::Ok(Opened { file, writable: true, made: Some((dir, path)) })
    };

    if options.exclusive {
        return Ok(new()?);
    }
    // A private mapping writes to the file only through its options.
    let changes = options.changes_names_or_contents();
    let writes_file = options.access.writes() && !options.private;
    if options.private && !changes {
        let may_grow =
            options.size.is_some() && options.access.writes() && perms == FsPerms::ReadWrite;
        return Ok(match may_grow.then(|| existing(true)) {
            Some(Ok(opened)) => opened,
            // Not writable, then: fine as long as `size` does not grow it.
            _ => existing(false)?,
        });
    }
    for _ in 0..CREATE_TRIES {
        match existing(writes_file || changes) {
            Err(error) if options.create && error.kind() == io::ErrorKind::NotFound => {}
            other => return Ok(other?),
        }
        match new() {
            // Somebody else was quicker; or the name is a link to nothing, until the tries end.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return Ok(other?),
        }
    }
    Err(Error::NoEnt)
}

fn open_in(dir: &Dir, path: &str, writable: bool, new: bool) -> io::Result<File> {
    // The kernel's limit holds also where cap-std takes a path part by part.
    if path.len() >= libc::PATH_MAX as usize {
        return Err(Errno::NAMETOOLONG.into());
    }
    let mut how = cap_std::fs::OpenOptions::new();
    how.read(true).write(writable).create_new(new).custom_flags(OPEN_FLAGS);
    // O_CLOEXEC is cap-std's own doing; a new file's mode is 0666 less the umask.
    match dir.open_with(path, &how) {
        Err(error) => Err(refused(error, path)),
        Ok(file) => Ok(file.into_std()),
    }
}

/// What `open` said, in one way for all systems.
fn refused(error: io::Error, path: &str) -> io::Error {
    match Errno::from_io_error(&error) {
        // "Not a file", as for a device that is not there.
        Some(platform::OPENED_SOCKET) => Errno::NXIO.into(),
        // cap-std's word for a new name with a slash behind it, where it is not the kernel that
        // finds the way inside the grant.
        Some(Errno::INVAL) if path.ends_with('/') => Errno::ISDIR.into(),
        _ => error,
    }
}
