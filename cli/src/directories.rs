//! The directories of `--dir`: checked, and granted to WASI and for mappings alike.

use crate::args::Grant;
use crate::terminal;
use anyhow::{Context, Result, anyhow};
use iommap::{FsPerms, IommapCtxBuilder};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use wasmtime_wasi::WasiCtxBuilder;

/// Refuses what cannot be granted, before anything else takes time.
pub(crate) fn check(grants: &[Grant]) -> Result<()> {
    let mut names = HashMap::new();
    for grant in grants {
        std::fs::read_dir(&grant.host).map_err(|error| refusal(grant, &error))?;
        if let Some(former) = names.insert(name(&grant.guest), &grant.text) {
            terminal::warn(format_args!(
                "--dir {} has the name of --dir {former}: the component will see only one of them",
                grant.text
            ));
        }
    }
    Ok(())
}

/// Grants the directories.
pub(crate) fn grant(
    grants: &[Grant],
    wasi: &mut WasiCtxBuilder,
    iommap: &mut IommapCtxBuilder,
) -> Result<()> {
    for Grant { text, host, guest, read_only } in grants {
        let perms = if *read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        iommap
            .preopened_dir(host, guest, perms)
            .with_context(|| format!("--dir {text}: the directory cannot be opened"))?;
    }
    iommap.preopen_into(wasi).map_err(|error| anyhow!("{error:#}"))
}

fn refusal(grant: &Grant, error: &std::io::Error) -> anyhow::Error {
    let Grant { text, host, .. } = grant;
    let shown = host.display();
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "--dir {text}: there is no directory {shown}{}. Create it, or name another",
            relative_to(host)
        ),
        ErrorKind::NotADirectory => anyhow!(
            "--dir {text}: {shown} is not a directory, and only directories can be granted. Name \
             the one it is in"
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "--dir {text}: you are not permitted to read {shown} ({error}). What you may not read \
             you cannot grant"
        ),
        _ => anyhow!("--dir {text}: {shown} cannot be opened: {error}"),
    }
}

/// From where a relative path was looked for.
fn relative_to(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(current) if path.is_relative() => format!(" in {}", current.display()),
        _ => String::new(),
    }
}

/// A guest's name for a directory, free of what does not matter in it.
fn name(guest: &str) -> String {
    let parts: Vec<&str> = guest.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_are_the_same() {
        for guest in ["/a/b", "a/b", "./a//b/"] {
            assert_eq!(name(guest), "a/b");
        }
        assert_eq!(name("/"), name("."));
        assert_ne!(name("a"), name("../a"));
    }
}
