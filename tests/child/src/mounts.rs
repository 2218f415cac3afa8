//! Mounts that no other process sees.

use std::ffi::CStr;
use std::io::{self, Cursor, Write};
use std::ptr;

/// Gives this process mounts of its own, as root of a user namespace if it is not root. It may be
/// called between `fork` and `exec`: it allocates nothing.
///
/// # Errors
///
/// The kernel refuses it.
pub fn own_mounts() -> io::Result<()> {
    // SAFETY: neither call has preconditions.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let flags = libc::CLONE_NEWNS | if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: the callers have one thread.
    succeeded(unsafe { libc::unshare(flags) })?;
    if user != 0 {
        write_file(c"/proc/self/setgroups", format_args!("deny"))?;
        write_file(c"/proc/self/uid_map", format_args!("0 {user} 1"))?;
        write_file(c"/proc/self/gid_map", format_args!("0 {group} 1"))?;
    }
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: a string, and null where mount(2) allows it.
    succeeded(unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) })
}

fn write_file(path: &CStr, text: std::fmt::Arguments<'_>) -> io::Result<()> {
    let mut line = [0; 32];
    let mut cursor = Cursor::new(&mut line[..]);
    cursor.write_fmt(text)?;
    let length = cursor.position() as usize;
    // SAFETY: a path; the descriptor is closed by `exec`.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    succeeded(file)?;
    // SAFETY: as many bytes as the line has.
    let written = unsafe { libc::write(file, line.as_ptr().cast(), length) };
    succeeded(written as i32)
}

fn succeeded(returned: i32) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
