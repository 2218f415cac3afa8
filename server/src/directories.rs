//! The directories of `--dir`, as a request finds them.
//!
//! Deployments point a link at the new release. So a name is looked up when a request begins, once
//! for both interfaces: WASI and iommap are granted the same directory, and a request that runs
//! keeps it whatever the name leads to later.

use iommap::{FsPerms, IommapCtxBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};
use wasmtime::Result;
use wasmtime::error::Context;
use wasmtime_wasi::WasiCtxBuilder;

/// Directories of this machine, with the names that components have for them.
pub(crate) type Names = [(PathBuf, String)];

/// Grants what each name leads to now, to read, to both.
pub(crate) fn grant(
    names: &Names,
    iommap: &mut IommapCtxBuilder,
    wasi: &mut WasiCtxBuilder,
) -> Result<()> {
    let mut found = Vec::with_capacity(names.len());
    for (host, guest) in names {
        let directory = Found::look_up(host)?;
        let granted = iommap.preopened_dir(&directory.path, guest, FsPerms::ReadOnly);
        granted.with_context(|| format!("cannot grant {}", host.display()))?;
        found.push(directory);
    }
    // By the same paths, which lead nowhere else as long as what was found is kept.
    iommap.preopen_into(wasi)
}

/// A directory that was found by its name.
struct Found {
    /// A path that leads to this very directory.
    path: PathBuf,
    /// What such a path needs.
    _open: File,
}

impl Found {
    fn look_up(name: &Path) -> Result<Found> {
        let open = File::open(name).with_context(|| format!("cannot open {}", name.display()))?;
        let path =
            path_of(&open, name).with_context(|| format!("cannot open {}", name.display()))?;
        Ok(Found { path, _open: open })
    }
}

#[cfg(target_os = "linux")]
fn path_of(open: &File, _name: &Path) -> std::io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    Ok(format!("/proc/self/fd/{}", open.as_raw_fd()).into())
}

/// Without links in it: it changes when the directory itself is moved, but not with a link.
#[cfg(not(target_os = "linux"))]
fn path_of(_open: &File, name: &Path) -> std::io::Result<PathBuf> {
    name.canonicalize()
}
