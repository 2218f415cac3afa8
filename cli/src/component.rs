//! Reading a component's file, and saying what it is if it is no component.

use anyhow::{Context, Result, anyhow, bail};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;

/// What every wasm binary starts with.
const MAGIC: &[u8] = b"\0asm";

/// What follows: a version and a layer, of two bytes each.
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];

/// How much of a file is looked at to say what it is, if it is no component.
const LOOKED_AT: u64 = 64 << 20;

/// The bytes of a component's file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut file = open(path)?;
    let unreadable = || format!("{shown} cannot be read");
    let mut bytes = Vec::new();
    file.by_ref().take(8).read_to_end(&mut bytes).with_context(unreadable)?;
    let component = bytes.strip_prefix(MAGIC) == Some(COMPONENT);
    // Of a file that is no component only so much is read: it may be one without an end.
    let limit = if component { u64::MAX } else { LOOKED_AT };
    file.take(limit).read_to_end(&mut bytes).with_context(unreadable)?;
    if component {
        return Ok(bytes);
    }
    match bytes.strip_prefix(MAGIC) {
        Some(rest) if rest.starts_with(CORE_MODULE) => {
            bail!("{shown} is a core module, not a component: {}", how_to_wrap(&bytes))
        }
        Some(_) => bail!(
            "{shown} is a WebAssembly binary of a kind that this host does not know: it is cut \
             short, damaged, or newer than the host"
        ),
        None => bail!("{shown} is not a WebAssembly component: {}", looks_like(&bytes)),
    }
}

/// A component's file, as it is when the component is read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    path: PathBuf,
    stamp: Option<Stamp>,
}

/// What changes with a file.
type Stamp = (u64, SystemTime);

impl Source {
    pub(crate) fn new(path: PathBuf) -> Source {
        let stamp = stamp(fs::metadata(&path));
        Source { path, stamp }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes, if they are what they were: it may have been built anew meanwhile, or be
    /// a pipe.
    pub(crate) fn read_again(&self) -> Option<Vec<u8>> {
        let mut file = File::open(&self.path).ok()?;
        if self.stamp.is_none() || stamp(file.metadata()) != self.stamp {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn stamp(metadata: io::Result<Metadata>) -> Option<Stamp> {
    let metadata = metadata.ok().filter(Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Opens a component's file, or says why not.
pub(crate) fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| not_opened(path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("{shown} is a directory: name the component in it, as in {shown}/NAME.wasm");
    }
    Ok(file)
}

fn not_opened(path: &Path, error: &io::Error) -> anyhow::Error {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        let with_suffix = path.with_added_extension("wasm");
        if with_suffix.is_file() {
            return anyhow!("there is no file {shown}: did you mean {}?", with_suffix.display());
        }
        if path.extension().is_none() {
            return anyhow!(
                "there is no file {shown}. The component comes first, and what is passed on to it \
                 after it: iommap run [OPTIONS] COMPONENT.wasm [ARGS]..."
            );
        }
        return anyhow!("there is no file {shown}: has it been built, and is the path right?");
    }
    anyhow!("{shown} cannot be opened: {error}")
}

/// How a core module becomes a component, by what is found in it.
fn how_to_wrap(module: &[u8]) -> &'static str {
    let has = |name: &[u8]| module.windows(name.len()).any(|window| window == name);
    if has(b"wasi_snapshot_preview1") {
        "it was built for WASI 0.1. Build it for wasm32-wasip2, or wrap it by \
         `wasm-tools component new --adapt ADAPTER.wasm`, with the adapter `command` of wasmtime's \
         releases"
    } else if has(b"component-type") {
        "the last step of its build is missing. Wrap it by `wasm-tools component new`, or build \
         it for wasm32-wasip2"
    } else {
        "build it for wasm32-wasip2, or wrap it by `wasm-tools component new`"
    }
}

/// What a file that is not wasm seems to be, and what to do about it.
fn looks_like(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "it is empty. Name the .wasm file that your build wrote".to_owned();
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return "it was compiled ahead of time. If you trust whoever did that as you would trust \
                a program of theirs, `iommap run --precompiled` runs it"
            .to_owned();
    }
    let start = &bytes[..bytes.len().min(32)];
    let text = String::from_utf8_lossy(bytes);
    let mut code = text.lines().map(str::trim).filter(|line| !line.starts_with(";;"));
    let first = code.find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with("(component") || first.starts_with("(module") {
        return "it is WebAssembly text. Make it a binary by `wasm-tools parse FILE.wat -o \
                FILE.wasm`"
            .to_owned();
    }
    format!(
        "it starts with \"{}\". Name the .wasm file that your build wrote",
        start.escape_ascii()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_told_apart() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"  ;; a\n(component)", "wasm-tools parse"),
            (b"(module", "wasm-tools parse"),
            (b"\x7fELF\x02", r#""\x7fELF\x02""#),
            (b"hello\x1b[2J\n", r#""hello\x1b[2J\n""#),
            (b"\0\0\0", r#""\x00\x00\x00""#),
        ] {
            let text = looks_like(bytes);
            assert!(text.contains(expected), "{text}");
        }
        let compiled = Engine::default().precompile_component(b"\0asm\x0d\0\x01\0").unwrap();
        assert!(looks_like(&compiled).contains("--precompiled"));
    }

    #[test]
    fn a_file_is_read_again_only_if_it_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        assert_eq!(Source::new(path.clone()).read_again(), None);
        fs::write(&path, "one").unwrap();
        let source = Source::new(path.clone());
        assert_eq!(source.read_again().as_deref(), Some(&b"one"[..]));
        fs::write(&path, "three").unwrap();
        assert_eq!(source.read_again(), None);
        assert_eq!(Source::new(dir.path().to_owned()).read_again(), None);
    }

    #[test]
    fn a_core_module_is_told_how_to_become_a_component() {
        assert!(how_to_wrap(b"..wasi_snapshot_preview1..").contains("--adapt"));
        assert!(how_to_wrap(b"..component-type:x..").contains("last step"));
        assert!(how_to_wrap(b"").starts_with("build it for wasm32-wasip2"));
    }
}
