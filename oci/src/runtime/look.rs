//! A first look at files of an image or a volume. Whoever made them may be an attacker, and this
//! runs outside of the container: links are followed as inside of it (`RESOLVE_IN_ROOT`), nothing
//! but a regular file is opened, and no more than eight bytes are read.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::{Errno, Result};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::Path;

/// What a component starts with: the magic number, a version, and the layer of components.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// How often a look-up is tried that a rename has disturbed.
const TRIES: usize = 16;

/// A directory of this machine's.
pub(crate) fn directory(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A file of this machine's, not opened yet.
pub(crate) fn file(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// A file in a directory that is the root of all paths, not opened yet.
pub(crate) fn inside(root: impl AsFd, path: &str, last_link: LastLink) -> Result<OwnedFd> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if last_link == LastLink::Kept {
        flags |= OFlags::NOFOLLOW;
    }
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        match openat2(root.as_fd(), path, flags, Mode::empty(), how) {
            Err(Errno::AGAIN) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// What becomes of a link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastLink {
    Followed,
    Kept,
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
    let opened = rustix::fs::openat(CWD, same, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut start = Vec::new();
    std::fs::File::from(opened).take(COMPONENT.len() as u64).read_to_end(&mut start)?;
    Ok(start == COMPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
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
        let root = directory(image.path())?;
        is_component(inside(root, path, LastLink::Followed)?)
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
    fn links_are_followed_as_inside_of_the_container() {
        let image = image();
        // Outside there is such a file: what is at its path in the image counts.
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("app"), COMPONENT).unwrap();
        let app = outside.path().join("app");
        symlink(&app, image.path().join("absolute")).unwrap();
        symlink("../../../../../../../../bin/app", image.path().join("bin/deep/up")).unwrap();
        symlink("loop", image.path().join("loop")).unwrap();
        symlink("/proc/self/exe", image.path().join("magic")).unwrap();
        assert!(seen(&image, "absolute").is_err());
        assert!(seen(&image, "bin/deep/up").unwrap());
        assert!(seen(&image, "../../bin/app").unwrap());
        assert!(seen(&image, "loop").is_err() && seen(&image, "magic").is_err());
        let inner = image.path().join(app.strip_prefix("/").unwrap());
        fs::create_dir_all(inner.parent().unwrap()).unwrap();
        fs::write(inner, "native").unwrap();
        assert!(!seen(&image, "absolute").unwrap());
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

    #[test]
    fn a_link_may_be_looked_at_itself() {
        let image = image();
        symlink("bin", image.path().join("dev")).unwrap();
        let root = directory(image.path()).unwrap();
        let of = |last| kind(inside(&root, "dev", last).unwrap()).unwrap();
        assert!(of(LastLink::Kept).is_symlink() && of(LastLink::Followed).is_dir());
    }
}
