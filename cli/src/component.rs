//! Reading a component's file, and saying what it is if it is no component.

use anyhow::{Context, Result, anyhow, bail};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

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
    let mut file = File::open(path).map_err(|error| not_opened(path, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("{shown} is a directory: name the component in it, as in {shown}/NAME.wasm");
    }
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
        None => bail!(
            "{shown} is not a WebAssembly component: {}. Name the .wasm file that your build \
             wrote",
            looks_like(&bytes)
        ),
    }
}

/// A component that cannot be compiled.
pub(crate) fn not_compiled(path: &Path, error: &wasmtime::Error) -> anyhow::Error {
    anyhow!(
        "{} cannot be compiled: {error:#}\n\
         The file is damaged, or uses features that this host does not know: build it again, or \
         get it again",
        path.display()
    )
}

fn not_opened(path: &Path, error: &io::Error) -> anyhow::Error {
    let shown = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        let with_suffix = path.with_added_extension("wasm");
        if with_suffix.is_file() {
            return anyhow!("there is no file {shown}: did you mean {}?", with_suffix.display());
        }
        if path.extension().is_none_or(|extension| extension != "wasm") {
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

/// What a file that is not wasm seems to be.
fn looks_like(bytes: &[u8]) -> String {
    const KINDS: [(&[u8], &str); 9] = [
        (b"\x7fELF", "it is a native program, or was compiled ahead of time"),
        (b"MZ", "it is a program for Windows"),
        (b"\xcf\xfa\xed\xfe", "it is a program for macOS"),
        (b"PK\x03\x04", "it is a zip archive: unpack it first"),
        (b"\x1f\x8b", "it is compressed by gzip: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it first"),
        (b"!<arch>", "it is a library of object files"),
        (b"BC\xc0\xde", "it is LLVM bitcode"),
        (b"#!", "it is a script"),
    ];
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if let Some((_, what)) = KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return (*what).to_owned();
    }
    let start = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => Some(text),
        // Only that a character is cut at the end: what is before it is text.
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
        }
        Err(_) => None,
    };
    match text {
        Some(text) if !text.contains('\0') => text_kind(text),
        _ => format!("it starts with the bytes {:02x?}", &start[..start.len().min(8)]),
    }
}

fn text_kind(text: &str) -> String {
    let code = |line: &&str| !line.is_empty() && !line.starts_with(";;") && !line.starts_with("//");
    let first = text.lines().map(str::trim).find(code).unwrap_or_default();
    if first.starts_with("(component") || first.starts_with("(module") {
        "it is WebAssembly text. Make it a binary by `wasm-tools parse FILE.wat -o FILE.wasm`"
            .to_owned()
    } else if first.starts_with("package ") {
        "it describes interfaces (WIT)".to_owned()
    } else {
        let shown: String = first.chars().filter(|c| !c.is_control()).take(40).collect();
        format!("it is text, and starts with {shown:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_files_of_other_kinds_when_looked_at_then_they_are_recognised() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"\x7fELF\x02", "native"),
            (b"#!/bin/sh", "script"),
            (b"  ;; a\n(component)", "wasm-tools parse"),
            (b"(module", "wasm-tools parse"),
            (b"package a:b;", "WIT"),
            (b"hello\x1b[2J\n", "\"hello[2J\""),
            ("caf\u{e9}".as_bytes(), "café"),
            (b"\xff\xfe\0", "[ff, fe, 00]"),
            (b"\0\0\0\0\0\0\0\0\0", "[00, 00, 00, 00, 00, 00, 00, 00]"),
        ] {
            let text = looks_like(bytes);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn given_a_character_cut_at_the_end_of_what_is_looked_at_then_it_is_still_text() {
        let text = "é".repeat(400);
        assert!(looks_like(&text.as_bytes()[1..]).contains("bytes"));
        let text = format!("a{text}");
        assert!(looks_like(text.as_bytes()).contains("is text"));
    }

    #[test]
    fn given_a_core_module_when_looked_at_then_the_advice_fits_it() {
        assert!(how_to_wrap(b"..wasi_snapshot_preview1..").contains("--adapt"));
        assert!(how_to_wrap(b"..component-type:x..").contains("last step"));
        assert!(how_to_wrap(b"").starts_with("build it for wasm32-wasip2"));
    }
}
