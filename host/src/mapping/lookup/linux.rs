//! Linux: O_PATH to look, /proc/self/fd to open what was looked at, O_TMPFILE and linkat to make.

use super::place::Place;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open, openat};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;

pub(super) fn existing(place: Place<'_>, writable: bool) -> io::Result<File> {
    let looked_at = look_at(place)?.0;
    let access = if writable { OFlags::RDWR } else { OFlags::RDONLY };
    let flags = access | OFlags::CLOEXEC | OFlags::NOCTTY;
    match retry_on_intr(|| open(by_descriptor(&looked_at), flags, Mode::empty())) {
        Ok(file) => Ok(file.into()),
        Err(Errno::NOENT | Errno::NOTDIR) => by_path(place, writable, &looked_at),
        Err(errno) => Err(errno.into()),
    }
}

/// The device and number of what is there, if it is a regular file.
pub(super) fn number(place: Place<'_>) -> io::Result<(u64, u64)> {
    let stat = look_at(place)?.1;
    Ok((stat.dev(), stat.ino()))
}

fn look_at(place: Place<'_>) -> io::Result<(File, Metadata)> {
    let looked_at = place.open(false, false, libc::O_PATH)?;
    let stat = looked_at.metadata()?;
    if stat.file_type().is_file() { Ok((looked_at, stat)) } else { Err(Errno::NXIO.into()) }
}

/// Without /proc: opens the path once more, and holds what was opened to what was looked at.
fn by_path(place: Place<'_>, writable: bool, looked_at: &File) -> io::Result<File> {
    let file = place.open(writable, false, libc::O_NONBLOCK)?;
    let (before, now) = (looked_at.metadata()?, file.metadata()?);
    match (before.dev(), before.ino()) == (now.dev(), now.ino()) {
        true => Ok(file),
        // Replaced in between: so it was not there.
        false => Err(Errno::NOENT.into()),
    }
}

/// What a file without a name is to be called: the directory, and the name there.
pub(in super::super) struct Name(File, OsString);

/// Makes a file without a name; `None` where the file system has none.
pub(super) fn unnamed(place: Place<'_>) -> io::Result<Option<(File, Name)>> {
    // What names no file is refused in the words of `open`.
    let Some((parent, name)) = place.split() else { return Ok(None) };
    // That it is a directory shows below. O_DIRECTORY would keep cap-std from following a link.
    let dir = parent.open(false, false, libc::O_PATH)?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let made = retry_on_intr(|| openat(&dir, ".", flags, Mode::from_raw_mode(0o666)));
    match made {
        // Without /proc it could get no name.
        Ok(file) if file_has_a_link(&file) => Ok(Some((file.into(), Name(dir, name.to_owned())))),
        Ok(_) | Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn file_has_a_link(file: &impl AsFd) -> bool {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    std::fs::symlink_metadata(path).is_ok()
}

/// Gives a file that has no name its name.
pub(super) fn link(file: &File, Name(dir, name): &Name) -> io::Result<()> {
    let name: &OsStr = name;
    retry_on_intr(|| linkat(CWD, by_descriptor(file), dir, name, AtFlags::SYMLINK_FOLLOW))?;
    Ok(())
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
