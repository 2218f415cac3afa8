//! How a path becomes a file that stands for a mapping.

use super::kinds;
use crate::{Error, ErrorKind, OpenOptions};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens the file, and tells how long it is. A failure leaves the world as it was.
pub(super) fn open(path: &str, options: &OpenOptions) -> Result<(File, u64), Error> {
    let changes = options.create || options.create_new || options.truncate;
    if !(options.write || (options.read && !changes)) || path.contains('\0') {
        return Err(ErrorKind::Badarg.into());
    }
    if path.is_empty() {
        return Err(ErrorKind::Enoent.into());
    }
    let path = Path::new(path);
    let (file, created) = open_or_create(path, options)?;
    match prepare(&file, options) {
        Ok(len) => Ok((file, len)),
        Err(error) => {
            if created {
                drop(file);
                _ = fs::remove_file(path);
            }
            Err(error)
        }
    }
}

/// Prepares a file that is open already, and tells how long it is.
#[cfg(all(feature = "wasi", unix))]
pub(super) fn map(file: &File, options: &OpenOptions) -> Result<u64, Error> {
    use std::os::unix::fs::FileExt;
    if !options.read && !options.write {
        return Err(ErrorKind::Badarg.into());
    }
    // Nothing is read and nothing written, but who may not is told so.
    let allowed = |done: io::Result<usize>| done.map_err(|_| Error::from(ErrorKind::Eacces));
    if !file.metadata().map_err(kinds::of)?.is_file() {
        return Err(ErrorKind::Enotreg.into());
    }
    allowed(file.read_at(&mut [], 0))?;
    if options.write && !options.private {
        allowed(file.write_at(&[], 0))?;
    }
    prepare(file, options)
}

/// Opens a file, or makes one that was not there and tells so.
fn open_or_create(path: &Path, options: &OpenOptions) -> Result<(File, bool), Error> {
    let mut existing = File::options();
    // A private mapping never writes to the file, and may not be allowed to.
    let changes_file = !options.private || options.truncate || options.size.is_some();
    existing.read(true).write(options.write && changes_file);
    let mut new = File::options();
    new.read(true).write(true).create_new(true);
    if options.create_new {
        return new.open(path).map(|file| (file, true)).map_err(kinds::of);
    }
    loop {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Err(ErrorKind::Enotreg.into()),
            Ok(_) => return existing.open(path).map(|file| (file, false)).map_err(kinds::of),
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.create => {}
            Err(error) => return Err(kinds::of(error)),
        }
        match new.open(path) {
            Ok(file) => return Ok((file, true)),
            // Somebody else was faster, or it is a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink()) {
                    return Err(ErrorKind::Enoent.into());
                }
            }
            Err(error) => return Err(kinds::of(error)),
        }
    }
}

/// Gives the file the length that the options ask for.
fn prepare(file: &File, options: &OpenOptions) -> Result<u64, Error> {
    let metadata = file.metadata().map_err(kinds::of)?;
    if !metadata.is_file() {
        return Err(ErrorKind::Enotreg.into());
    }
    let old = metadata.len();
    let kept = if options.truncate { 0 } else { old };
    let len = options.size.map_or(kept, |size| size.max(kept));
    if len > old && !options.write {
        return Err(ErrorKind::Badarg.into());
    }
    if len > old {
        // The only step that may fail comes first.
        set_len(file, len)?;
    }
    if options.truncate && old > 0 {
        set_len(file, 0)?;
        set_len(file, len)?;
    }
    Ok(len)
}

pub(super) fn set_len(file: &File, len: u64) -> Result<(), Error> {
    // No file system takes a longer one; std has words for it, and no kind.
    if i64::try_from(len).is_err() {
        return Err(ErrorKind::Efbig.into());
    }
    file.set_len(len).map_err(kinds::of)
}
