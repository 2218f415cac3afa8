//! Whose files they are, and who may read them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn succeeded(returned: i32) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Does something without root's privileges. In a child only: they are the whole process's.
pub(crate) fn as_nobody<R>(work: impl FnOnce() -> R) -> R {
    let become_user = |user| {
        // SAFETY: seteuid has no preconditions.
        succeeded(unsafe { libc::seteuid(user) }).unwrap();
    };
    // SAFETY: geteuid has no preconditions.
    let before = unsafe { libc::geteuid() };
    if before != 0 {
        return work();
    }
    become_user(65534);
    let result = work();
    become_user(before);
    result
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
