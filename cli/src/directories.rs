//! The directories of `--dir`: checked, and granted to WASI and for mappings alike.

use crate::grant::Grant;
use crate::terminal;
use anyhow::{Context, Result, anyhow};
use iommap::{FsPerms, IommapCtxBuilder};
use std::io::ErrorKind;
use std::path::Path;
use wasmtime_wasi::WasiCtxBuilder;

/// Refuses what cannot be granted, before anything else takes time, and tells what is: of two
/// grants of one name the later.
pub(crate) fn check(grants: &[Grant]) -> Result<Vec<&Grant>> {
    let mut granted: Vec<&Grant> = Vec::new();
    for grant in grants {
        std::fs::read_dir(&grant.host).map_err(|error| refusal(grant, &error))?;
        if let Some(former) = granted.iter().position(|former| former.name() == grant.name()) {
            terminal::warn(format_args!(
                "--dir {} has the name of --dir {}: the later one counts, and the component does \
                 not see the other",
                grant.text, granted[former].text
            ));
            granted.remove(former);
        }
        granted.push(grant);
    }
    Ok(granted)
}

/// Grants the directories.
pub(crate) fn grant(
    grants: &[&Grant],
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
        ErrorKind::NotFound => match grant.with_double_colons() {
            Some(doubled) => anyhow!(
                "--dir {text}: there is no directory {shown}{}. The parts of a grant have two \
                 colons between them: write `--dir {doubled}`",
                relative_to(host)
            ),
            None => anyhow!(
                "--dir {text}: there is no directory {shown}{}. Create it, or name another",
                relative_to(host)
            ),
        },
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
