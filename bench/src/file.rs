//! The file that everybody works on.

use crate::embedding::FILE_NAME;
use crate::offsets::{FILE_BYTES, content};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use wasmtime::Result;
use wasmtime::error::Context;

/// Makes the file, on the device and in the page cache.
pub(crate) fn make(dir: &Path) -> Result<()> {
    const PIECE: usize = 1 << 20;
    let mut file = File::create(dir.join(FILE_NAME))?;
    for piece in 0..FILE_BYTES / PIECE as u64 {
        file.write_all(&content(piece * PIECE as u64, PIECE)).context("cannot make the file")?;
    }
    Ok(file.sync_all()?)
}
