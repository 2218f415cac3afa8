//! Whether one directory lies inside another, whatever paths lead to them.

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags, fstat, openat};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// No path has more parts.
const DEEPEST: usize = libc::PATH_MAX as usize / 2;

/// Does a directory lie inside another, which is not the same?
pub(super) fn is_inside(inner: &Dir, outer: &Dir) -> io::Result<bool> {
    let identity = |dir: &dyn AsFd| {
        let stat = fstat(dir.as_fd())?;
        io::Result::Ok((stat.st_dev, stat.st_ino))
    };
    let wanted = identity(outer)?;
    let mut at = identity(inner)?;
    if at == wanted {
        return Ok(false);
    }
    let mut dir: OwnedFd = inner.as_fd().try_clone_to_owned()?;
    for _ in 0..DEEPEST {
        // What may not be looked into can't be told.
        let Ok(up) =
            openat(&dir, "..", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        else {
            return Ok(false);
        };
        let above = identity(&up)?;
        if above == wanted {
            return Ok(true);
        }
        if above == at {
            return Ok(false);
        }
        (dir, at) = (up, above);
    }
    Ok(false)
}
