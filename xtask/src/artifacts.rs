//! What cargo says it built, from its JSON messages: no guessing of paths, nothing stale.

use crate::workspace::shown;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// One target of one package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// The package's `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// Every file that was made.
    pub(crate) files: Vec<PathBuf>,
    /// The one of them that can be run.
    pub(crate) executable: Option<PathBuf>,
}

/// Runs `cargo build` and returns what it built, what was fresh included.
pub(crate) fn build(cargo: &mut Command) -> Result<Vec<Artifact>> {
    let command = shown(cargo);
    let mut child = cargo
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{command}`"))?;
    let messages = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let mut artifacts = Vec::new();
    for line in messages.lines() {
        artifacts.extend(parse(&line?));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{command}` failed: {status}");
    }
    Ok(artifacts)
}

fn parse(message: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    Some(Artifact {
        manifest: path(&message["manifest_path"])?,
        files: message["filenames"].as_array()?.iter().filter_map(path).collect(),
        executable: path(&message["executable"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_picked_from_cargos_messages() {
        let artifact = parse(
            r#"{"reason":"compiler-artifact","manifest_path":"/g/search/Cargo.toml",
                "target":{"kind":["bin"]},"filenames":["/t/search.wasm"],
                "executable":"/t/search.wasm","fresh":true}"#,
        )
        .unwrap();
        assert_eq!(artifact.manifest, PathBuf::from("/g/search/Cargo.toml"));
        assert_eq!(artifact.files, [PathBuf::from("/t/search.wasm")]);
        assert_eq!(artifact.executable, Some(PathBuf::from("/t/search.wasm")));
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/g/Cargo.toml",
                          "filenames":["/t/liba.rlib"],"executable":null}"#;
        assert_eq!(parse(library).unwrap().executable, None);
        assert_eq!(parse(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(parse("a build script's own words"), None);
    }
}
