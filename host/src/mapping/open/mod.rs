//! How a file becomes a mapping, and what a failure leaves behind.
//!
//! From what leaves no trace to what does: the limits, the region, the growth, the lock, the old
//! contents, and at last a new file's name. What was done to a file that others may have is never
//! undone: they may have built on it.

mod memory;
mod prepare;

use self::prepare::prepare;
use super::Mapping;
use super::changes::Followed;
use super::common::{RegionRef, RegionSpec};
use super::lookup::{self, NewFile, Place};
use super::mapped::{Mapped, Open};
use super::memory::MemoryFile;
use super::options::{AccessMode, FsPerms, OpenOptions};
use super::pages::Protection;
use super::platform;
use super::private::PrivatePages;
use super::region::Region;
use super::storage::Entry;
use crate::error::{Error, ErrorKind};
use crate::usage::{Limits, Reservation, Resource, Usage};
use cap_std::fs::Dir;
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How often `create` tries again when a file appears and vanishes between two calls, or when
/// the name is a link to nothing.
const CREATE_TRIES: usize = 16;

impl OpenOptions {
    /// Opens a file of the host and maps it, without grants and limits but for the [process's
    /// budget](crate::Budget): for a program's own files.
    ///
    /// # Errors
    ///
    /// Those of [`Grants::open`](crate::Grants::open), but for what grants and limits refuse.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Mapping, Error> {
        let access = self.validate()?;
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let usage = Usage::named(Limits::unlimited(), "this program");
        let mut request = Request::new(&name, FsPerms::ReadWrite, self, access, &usage, false)?;
        // A program's own mappings may be more than descriptors.
        request.lockable = self.lockable;
        // Which directory a program is in may be another later, when the entry is asked for.
        let absolute = std::path::absolute(path).ok();
        request.entry = absolute.as_deref().map(|path| (None, path));
        request.open(Place::Anywhere(path)).map(Mapping::from)
    }
}

/// Maps a file that is open already, on a region that others use too if `common` says so.
pub(crate) fn open_file(
    file: &Arc<File>,
    name: &str,
    perms: FsPerms,
    usage: &Arc<Usage>,
    options: &OpenOptions,
    common: bool,
) -> Result<Mapped, Error> {
    let access = options.validate()?;
    if options.changes_names_or_contents() {
        return Err(Error::because(ErrorKind::Badarg, "the file is open already"));
    }
    if options.writes_file() && perms == FsPerms::ReadOnly {
        return Err(Error::because(ErrorKind::Eacces, "the file may only be read"));
    }
    // What may only be added to can't be written through a mapping, which could overwrite it.
    if options.writes_file() && platform::is_append_only(file) {
        return Err(Error::because(ErrorKind::Eacces, "the file is open for appending"));
    }
    let mut request = Request::new(name, perms, options, access, usage, common)?;
    let stat = regular(file)?;
    let writable = perms == FsPerms::ReadWrite && platform::is_writable(file);
    let plan = request.plan(stat.len(), writable)?;
    request.map(file, &stat, plan, writable)
}

/// What is to be opened, for whom. It holds a place among the store's mappings, taken before the
/// file system is asked: a store at its limit makes no work for it.
pub(crate) struct Request<'a> {
    name: &'a str,
    perms: FsPerms,
    options: &'a OpenOptions,
    access: AccessMode,
    usage: &'a Arc<Usage>,
    common: bool,
    /// Does the mapping keep its file for locks, also where it does not write?
    lockable: bool,
    /// Was it found by a path of its grant's?
    by_path: bool,
    mapping: Option<Reservation>,
    /// From which granted directory on the file is found by which path, unless it is open already.
    entry: Option<(Option<&'a Arc<Dir>>, &'a Path)>,
    /// The region of shared memory that is opened.
    memory: Option<Arc<MemoryFile>>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        name: &'a str,
        perms: FsPerms,
        options: &'a OpenOptions,
        access: AccessMode,
        usage: &'a Arc<Usage>,
        common: bool,
    ) -> Result<Request<'a>, Error> {
        if options.lock && usage.limits().locked_bytes == 0 {
            return Err(Error::because(ErrorKind::Eacces, "locked-bytes is 0: nothing is locked"));
        }
        let mapping = Some(Reservation::new(usage, Resource::Mappings, 1)?);
        let lockable = options.lockable || usage.limits().locks > 0;
        Ok(Request {
            name,
            perms,
            options,
            access,
            usage,
            common,
            lockable,
            by_path: false,
            mapping,
            entry: None,
            memory: None,
        })
    }

    /// Opens a file beneath a granted directory and maps it. What the grant permits was checked.
    pub(crate) fn open_in(mut self, dir: &'a Arc<Dir>, path: &'a str) -> Result<Mapped, Error> {
        self.by_path = true;
        self.entry = Some((Some(dir), Path::new(path)));
        self.open(Place::Beneath(dir, Path::new(path)))
    }

    /// Opens a mapping of the embedder's in place of a file. `named` says whether the path is the
    /// one that it is shared under.
    pub(crate) fn lend(mut self, lender: &Mapping, named: bool) -> Result<Mapped, Error> {
        let mapping = self.take_mapping()?;
        lender.lend(self.name, named, self.options, self.access, self.usage, mapping)
    }

    fn open(&mut self, place: Place<'_>) -> Result<Mapped, Error> {
        if self.options.exclusive {
            return self.make(place);
        }
        for _ in 0..CREATE_TRIES {
            match self.find(place) {
                Err(error) if self.options.create && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
                Ok((file, writable)) => {
                    let stat = regular(&file)?;
                    let plan = self.plan(stat.len(), writable)?;
                    return self.map(&Arc::new(file), &stat, plan, writable);
                }
            }
            match self.make(place) {
                // Somebody else was quicker; or the name is a link to nothing, until the tries end.
                Err(error) if error == ErrorKind::Eexist => {}
                other => return other,
            }
        }
        Err(ErrorKind::Enoent.into())
    }

    /// Opens a file that exists. Says, too, whether its length and contents may be changed.
    fn find(&self, place: Place<'_>) -> io::Result<(File, bool)> {
        let options = self.options;
        let existing = |writable| Ok((lookup::existing(place, writable)?, writable));
        // A private mapping writes to the file only through its options.
        if options.private && !options.changes_names_or_contents() {
            let may_grow =
                options.size.is_some() && options.write && self.perms == FsPerms::ReadWrite;
            return match may_grow.then(|| existing(true)) {
                Some(Ok(opened)) => Ok(opened),
                // Not writable, then: fine as long as `size` does not grow it.
                _ => existing(false),
            };
        }
        existing(options.writes_file() || options.changes_names_or_contents())
    }

    /// Makes a file, maps it, and gives it its name.
    fn make(&mut self, place: Place<'_>) -> Result<Mapped, Error> {
        // Whatever can be refused is, before anything is made.
        let plan = self.plan(0, true)?;
        let new = NewFile::make(place)?;
        let file = Arc::new(new.file().try_clone()?);
        let mapped = self.map(&file, &regular(&file)?, plan, true)?;
        new.publish()?;
        Ok(mapped)
    }

    /// What the mapping of a file of this length will take, unless it is refused.
    fn plan(&self, length: u64, writable: bool) -> Result<Plan, Error> {
        let Request { options, usage, .. } = self;
        let target = match options.size {
            Some(size) if options.truncate => size,
            Some(size) => size.max(length),
            None if options.truncate => 0,
            None => length,
        };
        let grows = target > length;
        if grows && !options.write {
            return Err(Error::because(
                ErrorKind::Badarg,
                "to grow a file needs a mode that writes",
            ));
        }
        if (grows || options.truncate) && !writable {
            return Err(Error::because(ErrorKind::Eacces, "the file may not be changed"));
        }
        if grows || options.truncate {
            usage.check_file(target)?;
        }
        let reserve = |resource, wanted: bool| {
            wanted.then(|| Reservation::new(usage, resource, target)).transpose()
        };
        Ok(Plan {
            length,
            target,
            mapped: Reservation::new(usage, Resource::MappedBytes, target)?,
            locked: reserve(Resource::LockedBytes, options.lock)?,
            // Locking makes a copy of every page that may be written.
            copied: reserve(
                Resource::PrivateBytes,
                options.lock && options.private && options.write,
            )?,
        })
    }

    fn map(
        &mut self,
        file: &Arc<File>,
        stat: &Metadata,
        plan: Plan,
        writable: bool,
    ) -> Result<Mapped, Error> {
        let Request { options, usage, lockable, by_path, .. } = *self;
        let spec = RegionSpec {
            protection: protection(options),
            nocache: options.nocache,
            // Pages are locked for all who use them, until the region goes.
            common: self.common && !options.lock,
        };
        let region = RegionRef::of(file, stat, plan.target, spec, usage)?;
        if plan.target == 0 {
            // What has no length and no pages either (files of /proc) is not an empty file.
            Region::new(file, 1, spec.protection, usage).map_err(not_to_be_mapped)?;
        }
        if plan.target > plan.length {
            let raise = || platform::raise(file, plan.target);
            super::memory::change_length(self.memory.as_deref(), plan.target, raise)?;
        }
        prepare(&region, file, &plan, options, self.memory.as_deref())?;
        // A file that is cut at this very moment is one that was cut since.
        if region.watch_for_cuts().is_err() {
            usage.count_fault();
        }
        let private = match (options.private && options.write, plan.copied) {
            (false, _) => None,
            (true, None) => Some(PrivatePages::none(usage)?),
            (true, Some(copied)) => Some(PrivatePages::all(copied)),
        };
        let followed = (usage.limits().watches > 0)
            .then(|| Followed::new(file.clone(), by_path.then_some(*options)).map(Box::new))
            .transpose()?;
        // Now, as the file's system was asked for the file anyway.
        let own_locks = !lockable || platform::has_own_locks(file);
        let mapping = self.take_mapping()?;
        let entry = self.entry.filter(|_| writable && options.writes_file());
        let entry =
            entry.map(|(dir, path)| Box::new(Entry { dir: dir.cloned(), path: path.into() }));
        usage.count_open();
        Ok(Mapped {
            name: self.name.into(),
            access: self.access,
            usage: usage.clone(),
            open: Some(Open {
                region,
                file: (writable && options.writes_file()).then(|| file.clone()),
                kept: (usage.limits().windows > 0).then(|| file.clone()),
                lockable: lockable.then(|| file.clone()),
                own_locks,
                locks: None,
                kept_wait: None,
                entry,
                memory: self.memory.clone(),
                followed,
                private,
                nocache: options.nocache,
                common: self.common,
                mapped: plan.mapped,
                locked: plan.locked,
                _mapping: mapping,
            }),
        })
    }

    fn take_mapping(&mut self) -> Result<Reservation, Error> {
        match self.mapping.take() {
            Some(mapping) => Ok(mapping),
            None => Reservation::new(self.usage, Resource::Mappings, 1),
        }
    }
}

/// What a mapping takes, reserved before anything is done.
struct Plan {
    /// The file's length now.
    length: u64,
    /// The length that it is to have.
    target: u64,
    mapped: Reservation,
    locked: Option<Reservation>,
    copied: Option<Reservation>,
}

/// Some files of /proc fail with EIO where others say ENODEV.
fn not_to_be_mapped(error: Error) -> Error {
    if error == ErrorKind::Eio { Errno::NODEV.into() } else { error }
}

fn regular(file: &File) -> Result<Metadata, Error> {
    let stat = file.metadata()?;
    if stat.file_type().is_file() { Ok(stat) } else { Err(Errno::NXIO.into()) }
}

fn protection(options: &OpenOptions) -> Protection {
    match (options.private, options.write) {
        (false, false) => Protection::SharedRead,
        (false, true) => Protection::SharedWrite,
        (true, false) => Protection::PrivateRead,
        (true, true) => Protection::PrivateWrite,
    }
}
