//! How a file is found or made: looked at before it is opened, and made without a name until all
//! else has succeeded.
//!
//! Between any two calls another process may put something else in a file's place. So a file is
//! looked at through a descriptor that opens nothing (`O_PATH`), and what is opened is what was
//! looked at: a FIFO or a device is never opened at all. And nothing is ever removed again: a name
//! may be another's file by then.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
mod place;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

pub(super) use place::Place;

use super::platform;
use crate::error::{Error, ErrorKind};
use rustix::fs::{AtFlags, Mode, OFlags, fstat, fsync, openat, statat};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;

/// Opens a regular file that exists. Anything else is [`Errno::NXIO`], and is not opened.
///
/// Where somebody holds a lease on the file (a server of SMB or NFS), this waits until it is given
/// up, as `open(2)` does: 45 seconds at most, unless `fs.lease-break-time` says otherwise.
pub(super) fn existing(place: Place<'_>, writable: bool) -> io::Result<File> {
    system::existing(place, writable)
}

/// The device and number of the regular file that is there; `None` if it is something else. Nothing
/// is opened.
pub(super) fn number(place: Place<'_>) -> io::Result<Option<(u64, u64)>> {
    match system::number(place) {
        Ok(number) => Ok(Some(number)),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file that is new.
pub(super) enum NewFile {
    /// It has no name yet, and goes if it never gets one.
    Unnamed(File, system::Name),
    /// It was made under its name, where the file system can't do without.
    Named(File),
}

impl NewFile {
    /// Makes a file, to be read and written. Its mode is 0666 less the umask.
    pub(super) fn make(place: Place<'_>) -> io::Result<NewFile> {
        // Said now, and again when it gets its name.
        if place.is_taken() && place.names_a_file() {
            return Err(Errno::EXIST.into());
        }
        match system::unnamed(place)? {
            Some((file, name)) => Ok(NewFile::Unnamed(file, name)),
            None => Ok(NewFile::Named(place.open(true, true, 0)?)),
        }
    }

    pub(super) fn file(&self) -> &File {
        match self {
            NewFile::Unnamed(file, _) | NewFile::Named(file) => file,
        }
    }

    /// Gives the file its name, unless that is taken by now ([`Errno::EXIST`]).
    pub(super) fn publish(&self) -> io::Result<()> {
        match self {
            NewFile::Unnamed(file, name) => system::link(file, name),
            NewFile::Named(_) => Ok(()),
        }
    }
}

/// Has the device keep the entry of a file: writes the directory that the path leads to now, if it
/// is this very file that it has under that name.
pub(super) fn sync_entry(place: Place<'_>, file: &File) -> Result<(), Error> {
    let Some((parent, name)) = place.split() else { return Err(ErrorKind::Enoent.into()) };
    // Looked at first: what is no directory is not opened.
    let looked_at = parent.look()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = retry_on_intr(|| openat(&looked_at, ".", flags, Mode::empty()))?;
    let there = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let ours = fstat(file)?;
    if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) {
        return Err(Error::because(ErrorKind::Enoent, "the path leads to something else by now"));
    }
    match retry_on_intr(|| fsync(&dir)) {
        // A file system that can't do that with directories.
        Err(Errno::INVAL) => Err(Errno::NOTSUP.into()),
        done => Ok(done.and_then(|()| platform::flush_device(&File::from(dir)))?),
    }
}
