//! A first look at files of an image or a volume. Whoever made them may be an attacker, and this
//! runs outside of the container: no link is followed by the kernel (`place.rs` does that, inside of the
//! container's files), nothing but a regular file is opened, and no more than eight bytes are read.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2, readlinkat};
use rustix::io::{Errno, Result};
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// What a component starts with: the magic number, a version, and the layer of components.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// A directory of this machine's.
pub(crate) fn directory(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A file of this machine's, not opened yet.
pub(crate) fn file(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// A file in a directory that is the root of all paths, not opened yet. Of links on the way nothing is
/// left to the kernel: they are an error, but for one at the end, which is what is found.
pub(crate) fn inside(root: impl AsFd, path: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), how)
}

/// What a link in a directory says, if there is one at a path. Whatever else keeps it from being read
/// is an error: it is not known then where the path leads.
pub(crate) fn link(root: impl AsFd, path: &str) -> Result<Option<OsString>> {
    let file = match inside(root, path) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !kind(&file)?.is_symlink() {
        return Ok(None);
    }
    Ok(Some(OsString::from_vec(readlinkat(file, "", Vec::new())?.into_bytes())))
}

pub(crate) fn kind(file: impl AsFd) -> Result<FileType> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode))
}

/// Is it the file of a component?
pub(crate) fn is_component(file: impl AsFd) -> std::io::Result<bool> {
    // To open a device or a FIFO may do something by itself.
    if !kind(&file)?.is_file() {
        return Ok(false);
    }
    let same = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    // Nor does it wait for somebody who has a lease on it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, same, flags, Mode::empty())?;
    let mut start = Vec::new();
    std::fs::File::from(opened).take(COMPONENT.len() as u64).read_to_end(&mut start)?;
    Ok(start == COMPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::process::Command;
    use tempfile::TempDir;

    fn image() -> TempDir {
        let image = tempfile::tempdir().unwrap();
        let at = |name: &str| image.path().join(name);
        fs::create_dir_all(at("bin/deep")).unwrap();
        fs::write(at("bin/app"), [&COMPONENT[..], b"rest"].concat()).unwrap();
        fs::write(at("bin/module"), b"\0asm\x01\0\0\0").unwrap();
        fs::write(at("bin/short"), &COMPONENT[..7]).unwrap();
        image
    }

    fn seen(image: &TempDir, path: &str) -> std::io::Result<bool> {
        is_component(inside(directory(image.path())?, path)?)
    }

    #[test]
    fn a_component_is_told_by_its_first_bytes() {
        let image = image();
        assert!(seen(&image, "bin/app").unwrap());
        assert!(seen(&image, "/bin/app").unwrap());
        for path in ["bin/module", "bin/short", "bin"] {
            assert!(!seen(&image, path).unwrap(), "{path}");
        }
        assert!(seen(&image, "bin/none").is_err());
    }

    #[test]
    fn no_link_is_followed_by_the_kernel() {
        let image = image();
        let at = |name: &str| image.path().join(name);
        symlink("bin", at("inner")).unwrap();
        symlink(at("bin/app"), at("outer")).unwrap();
        symlink("/proc/self/exe", at("magic")).unwrap();
        let root = directory(image.path()).unwrap();
        for (name, says) in [("inner", "bin"), ("magic", "/proc/self/exe")] {
            assert_eq!(link(&root, name).unwrap().unwrap(), says);
        }
        assert_eq!(link(&root, "bin"), Ok(None));
        assert!(seen(&image, "inner/app").is_err());
        assert!(!seen(&image, "outer").unwrap() && !seen(&image, "magic").unwrap());
        // Nor does `..` lead out.
        assert!(seen(&image, "../../bin/app").unwrap());
    }

    #[test]
    fn that_there_is_no_link_is_said_only_where_none_is() {
        let image = image();
        let bytes = OsStr::from_bytes(b"/data/\xff");
        symlink(bytes, image.path().join("odd")).unwrap();
        let root = directory(image.path()).unwrap();
        assert_eq!(link(&root, "odd").unwrap().unwrap(), bytes);
        for path in ["none", "none/x", "bin/app", "bin/app/x"] {
            assert_eq!(link(&root, path), Ok(None), "{path}");
        }
        assert_eq!(link(&root, "odd/x"), Err(Errno::LOOP));
        assert_eq!(link(&root, &"x".repeat(256)), Err(Errno::NAMETOOLONG));
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let image = image();
        let fifo = image.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Opening it would wait for somebody who writes.
        assert!(!seen(&image, "fifo").unwrap());
        assert!(!is_component(file(Path::new("/dev/zero")).unwrap()).unwrap());
    }
}
