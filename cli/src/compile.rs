//! `iommap compile`: native code for later.

use crate::args::Compile;
use crate::engine;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Compiles a component and writes what comes of it to a file.
pub(crate) fn compile(args: &Compile) -> Result<u8> {
    if same_file(&args.component, &args.output) {
        bail!("{} is the component itself: name another file to write", args.output.display());
    }
    let code = engine::compile_ahead(&args.component)?;
    write(&args.output, &code)
        .with_context(|| format!("{} cannot be written", args.output.display()))?;
    Ok(0)
}

/// Writes a file at once: what runs from a former one goes on to find that one unchanged.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(path, code);
    }
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = fs::write(&beside, code).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        _ = fs::remove_file(&beside);
    }
    written
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_one_that_failed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.cwasm");
        for content in [b"one", b"two"] {
            write(&path, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(write(&dir.path().join("folder"), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(same_file(&path, &dir.path().join("folder/../a.cwasm")));
    }
}
