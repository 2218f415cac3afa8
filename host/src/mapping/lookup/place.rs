//! Where a file is: a path beneath a granted directory, or any path of the host.

use cap_std::fs::{Dir, OpenOptionsExt as _};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
#[cfg(not(target_os = "linux"))]
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A terminal must not become ours, and nothing may make `open` wait that was not looked at.
const FLAGS: i32 = libc::O_NOCTTY;

/// With which nothing is opened, but looked at. Nobody asks for it where there is none.
#[cfg(not(any(target_os = "macos", target_os = "openbsd")))]
const LOOK: i32 = libc::O_PATH;
#[cfg(any(target_os = "macos", target_os = "openbsd"))]
const LOOK: i32 = 0;

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Place<'a> {
    /// A guest's: nothing on the way leads out of the directory.
    Beneath(&'a Dir, &'a Path),
    /// The host's own.
    Anywhere(&'a Path),
}

impl<'a> Place<'a> {
    fn path(self) -> &'a Path {
        match self {
            Place::Beneath(_, path) | Place::Anywhere(path) => path,
        }
    }

    /// Opens what is there, for reading, or for both. `new`: it must not be there yet.
    pub(super) fn open(self, writable: bool, new: bool, flags: i32) -> io::Result<File> {
        let path = self.path();
        // The kernel's limit holds also where cap-std takes a path part by part.
        if path.as_os_str().len() >= libc::PATH_MAX as usize {
            return Err(Errno::NAMETOOLONG.into());
        }
        // With O_PATH nothing is opened, and `openat2` wants no other word about how.
        let flags = if flags & LOOK == 0 { FLAGS | flags } else { flags };
        // O_CLOEXEC is the library's own doing, in both.
        let opened = match self {
            Place::Beneath(dir, path) => {
                let mut how = cap_std::fs::OpenOptions::new();
                how.read(true).write(writable).create_new(new).custom_flags(flags);
                dir.open_with(path, &how).map(cap_std::fs::File::into_std)
            }
            Place::Anywhere(path) => {
                let mut how = fs::OpenOptions::new();
                how.read(true).write(writable).create_new(new).custom_flags(flags);
                how.open(path)
            }
        };
        opened.map_err(|error| match Errno::from_io_error(&error) {
            // cap-std's word for a new name with a slash behind it, where it is not the kernel
            // that finds the way inside the grant.
            Some(Errno::INVAL) if self.ends_in_slash() => Errno::ISDIR.into(),
            _ => error,
        })
    }

    /// Opens what is there only to look at it, where the system can, and waits for nobody.
    pub(super) fn look(self) -> io::Result<File> {
        self.open(false, false, if LOOK == 0 { libc::O_NONBLOCK } else { LOOK })
    }

    /// Is there anything of this name, be it a link to nothing?
    pub(super) fn is_taken(self) -> bool {
        match self {
            Place::Beneath(dir, path) => dir.symlink_metadata(path).is_ok(),
            Place::Anywhere(path) => fs::symlink_metadata(path).is_ok(),
        }
    }

    /// Does the path end in a name that a file may have?
    pub(super) fn names_a_file(self) -> bool {
        self.path().file_name().is_some() && !self.ends_in_slash()
    }

    fn ends_in_slash(self) -> bool {
        let bytes = self.path().as_os_str().as_encoded_bytes();
        bytes.ends_with(b"/") || bytes.ends_with(b"/.")
    }

    /// The directory that the file is in, and its name there; `None` for what names no file.
    pub(super) fn split(self) -> Option<(Place<'a>, &'a OsStr)> {
        if !self.names_a_file() {
            return None;
        }
        let name = self.path().file_name()?;
        let parent = match self.path().parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Some((
            match self {
                Place::Beneath(dir, _) => Place::Beneath(dir, parent),
                Place::Anywhere(_) => Place::Anywhere(parent),
            },
            name,
        ))
    }

    /// The device and number of what is there, which is not opened; `None` if it is no regular file.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn number(self) -> io::Result<Option<(u64, u64)>> {
        Ok(match self {
            Place::Beneath(dir, path) => {
                let stat = dir.metadata(path)?;
                stat.is_file().then(|| {
                    (cap_std::fs::MetadataExt::dev(&stat), cap_std::fs::MetadataExt::ino(&stat))
                })
            }
            Place::Anywhere(path) => {
                let stat = fs::metadata(path)?;
                stat.is_file().then(|| (stat.dev(), stat.ino()))
            }
        })
    }
}
