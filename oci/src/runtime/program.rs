//! The programs of this machine that are needed: `iommap`, which the container gets, and the runtime
//! that makes containers.

use anyhow::{Context, Result, anyhow, bail, ensure};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Says where they are, if not where they are looked for.
const IOMMAP: &str = "IOMMAP_OCI_IOMMAP";
const RUNTIME: &str = "IOMMAP_OCI_RUNTIME";

/// The runtimes that are looked for.
const RUNTIMES: [&str; 2] = ["runc", "crun"];

/// Where programs are, if nobody says so.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where `iommap` is: beside this program, unless the environment says otherwise.
pub(crate) fn iommap() -> Result<String> {
    let path = match env::var_os(IOMMAP) {
        Some(path) => PathBuf::from(path),
        None => {
            env::current_exe().context("this program cannot be found")?.with_file_name("iommap")
        }
    };
    let shown = path.display();
    let path = path.canonicalize().with_context(|| {
        format!("the container is a component, and {shown} is to run it: install iommap there, or name it by {IOMMAP}")
    })?;
    check(&path)?;
    path.into_os_string().into_string().map_err(|path| anyhow!("{} is not UTF-8", path.display()))
}

/// Can it be run in any container, by any user?
fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{shown} cannot be opened"))?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "{shown} is no regular file");
    ensure!(
        metadata.permissions().mode() & 0o005 == 0o005,
        "{shown} is not for everybody to run, as a container's users must be able to: \
         chmod 755 {shown}"
    );
    match needs_loader(&file) {
        Some(false) => Ok(()),
        Some(true) => bail!(
            "{shown} is linked dynamically, and the image of a component has no libraries: \
             docs/containers.md says how a static one is built"
        ),
        None => bail!("{shown} is no program of this machine's"),
    }
}

/// Does an ELF program name a loader, which links it when it starts? None if it is no such program.
fn needs_loader(file: &File) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    let wide = match header.get(..6)? {
        b"\x7fELF\x01\x01" => false,
        b"\x7fELF\x02\x01" => true,
        _ => return None,
    };
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (at, size, count) = match wide {
        true => (u64::from_le_bytes(header[32..40].try_into().ok()?), u16_at(54), u16_at(56)),
        false => {
            (u64::from(u32::from_le_bytes(header[28..32].try_into().ok()?)), u16_at(42), u16_at(44))
        }
    };
    for n in 0..u64::from(count) {
        let mut kind = [0; 4];
        file.read_exact_at(&mut kind, at.checked_add(n * u64::from(size))?).ok()?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

/// Runs the next runtime in the place of this program. Returns only if that can't be done.
pub(crate) fn become_next_runtime(args: &[OsString]) -> anyhow::Error {
    match next_runtime() {
        Ok(runtime) => {
            let error = Command::new(&runtime).args(args).exec();
            anyhow!("{} cannot be run: {error}", runtime.display())
        }
        Err(error) => error,
    }
}

fn next_runtime() -> Result<PathBuf> {
    if let Some(path) = env::var_os(RUNTIME) {
        return Ok(path.into());
    }
    let path = env::var_os("PATH").unwrap_or_else(|| PATH.into());
    search(&path, &RUNTIMES).with_context(|| {
        format!(
            "there is neither {} in {}: install one, or name it by {RUNTIME}",
            RUNTIMES.join(" nor "),
            path.display()
        )
    })
}

/// The first of some programs in a list of directories. This one may be there too, under a name of
/// theirs.
fn search(path: &OsStr, names: &[&str]) -> Option<PathBuf> {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let ours = fs::metadata("/proc/self/exe").map(identity).ok();
    let is_another = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| {
            metadata.is_file()
                && metadata.permissions().mode() & 0o111 != 0
                && Some(identity(metadata)) != ours
        })
    };
    let found = |name: &&str| env::split_paths(path).map(|dir| dir.join(name)).find(is_another);
    names.iter().find_map(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn a_program_that_needs_a_loader_is_told_from_one_that_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let program = |name: &str, kinds: &[u32]| {
            let mut bytes = vec![0; 64 + 56 * kinds.len()];
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            bytes[32] = 64;
            bytes[54] = 56;
            bytes[56] = u8::try_from(kinds.len()).unwrap();
            for (n, kind) in kinds.iter().enumerate() {
                bytes[64 + 56 * n..][..4].copy_from_slice(&kind.to_le_bytes());
            }
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        };
        let said = |path: &Path| check(path).map_err(|error| format!("{error:#}"));
        assert_eq!(said(&program("static", &[6, 1, 1, 2])), Ok(()));
        assert!(said(&program("dynamic", &[6, 3, 1])).unwrap_err().contains("dynamically"));

        let path = program("secret", &[1]);
        fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
        assert!(said(&path).unwrap_err().contains("chmod 755"));
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        for text in [&b"#!/bin/sh\n"[..], &[0; 64]] {
            fs::write(&path, text).unwrap();
            assert!(said(&path).unwrap_err().contains("no program"));
        }
        // One whose headers are said to be where nothing is.
        let mut bytes = fs::read(program("cut", &[1])).unwrap();
        bytes[32..40].fill(0xff);
        fs::write(&path, bytes).unwrap();
        assert!(said(&path).unwrap_err().contains("no program"));
        assert!(said(dir.path()).unwrap_err().contains("regular"));
    }

    #[test]
    fn this_test_itself_is_read_as_the_linker_made_it() {
        let this = File::open("/proc/self/exe").unwrap();
        assert_eq!(needs_loader(&this), Some(cfg!(not(target_feature = "crt-static"))));
    }

    #[test]
    fn the_next_runtime_is_never_this_one() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let at = |n: usize, name: &str| dirs[n].path().join(name);
        std::os::unix::fs::symlink(env::current_exe().unwrap(), at(0, "runc")).unwrap();
        fs::write(at(1, "runc"), "not to be run").unwrap();
        for name in ["runc", "crun"] {
            fs::write(at(2, name), "").unwrap();
            fs::set_permissions(at(2, name), Permissions::from_mode(0o755)).unwrap();
        }
        let path = env::join_paths(dirs.iter().map(tempfile::TempDir::path)).unwrap();
        assert_eq!(search(&path, &RUNTIMES), Some(at(2, "runc")));
        fs::remove_file(at(2, "runc")).unwrap();
        assert_eq!(search(&path, &RUNTIMES), Some(at(2, "crun")));
        assert_eq!(search(dirs[0].path().as_os_str(), &RUNTIMES), None);
    }
}
