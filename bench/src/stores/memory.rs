//! What this process uses, as the kernel counts it.

use std::fs;
use std::path::Path;
use wasmtime::{Result, format_err};

/// One look at it, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Address space: `VmSize`.
    pub(super) address_space: u64,
    /// Memory of the process's own, the file's pages not counted: `RssAnon`.
    pub(super) memory: u64,
    /// Page tables: `VmPTE`.
    pub(super) page_tables: u64,
}

impl Memory {
    pub(super) fn now() -> Result<Memory> {
        let status = fs::read_to_string("/proc/self/status")?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            kibibytes
                .map(|kibibytes: u64| kibibytes << 10)
                .ok_or_else(|| format_err!("/proc/self/status has no {name}"))
        };
        Ok(Memory {
            address_space: bytes("VmSize")?,
            memory: bytes("RssAnon")?,
            page_tables: bytes("VmPTE")?,
        })
    }
}

/// How many ranges of this process's address space map a file.
pub(super) fn ranges(path: &Path) -> Result<u64> {
    let path = path.canonicalize()?;
    let path = path.to_str().ok_or_else(|| format_err!("a path that is no text"))?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter(|line| line.ends_with(path)).count() as u64)
}
