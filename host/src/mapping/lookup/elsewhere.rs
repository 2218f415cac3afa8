//! Systems without O_PATH: looked at by its path, and held to be regular again once it is open.
//!
//! A FIFO that takes a file's place between the two is opened after all, for a moment.

use super::place::Place;
use rustix::io::Errno;
use std::convert::Infallible;
use std::fs::File;
use std::io;

pub(super) fn existing(place: Place<'_>, writable: bool) -> io::Result<File> {
    number(place)?;
    let file = place.open(writable, false, libc::O_NONBLOCK)?;
    match file.metadata()?.file_type().is_file() {
        true => Ok(file),
        false => Err(Errno::NXIO.into()),
    }
}

/// The device and number of what is there, if it is a regular file.
pub(super) fn number(place: Place<'_>) -> io::Result<(u64, u64)> {
    place.number()?.ok_or_else(|| Errno::NXIO.into())
}

/// No file without a name can be made.
pub(in super::super) type Name = Infallible;

pub(super) fn unnamed(_: Place<'_>) -> io::Result<Option<(File, Name)>> {
    Ok(None)
}

pub(super) fn link(_: &File, name: &Name) -> io::Result<()> {
    match *name {}
}
