//! The database, opened either way, with its reads counted.

use std::cell::Cell;
use std::fmt;

use iommap_guest::Mapping;
use mmdb::{Mapped, Source};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

/// So many lookups are worth a window.
const MANY: u32 = 32;

/// Maps the database, for so many lookups.
pub(crate) fn map(path: &str, lookups: u32) -> Result<Counted<Mapped>, iommap_guest::Error> {
    let open = if lookups < MANY { Mapped::new } else { Mapped::with_window };
    Mapping::open(path).map(|mapping| Counted::new(open(mapping)))
}

/// Opens the database through WASI: a descriptor, each read of which is one call and no stream.
pub(crate) fn open(path: &str) -> Result<Counted<WasiFile>, WasiError> {
    let strip = |name: &str| Some(path.strip_prefix(name)?.trim_start_matches('/').to_owned());
    let granted = get_directories();
    let within = granted.iter().filter_map(|(dir, name)| Some((dir, name.len(), strip(name)?)));
    let (dir, _, rest) =
        within.max_by_key(|(_, length, _)| *length).ok_or(WasiError::Code(ErrorCode::Access))?;
    let flags = (PathFlags::SYMLINK_FOLLOW, OpenFlags::empty(), DescriptorFlags::READ);
    let file = dir.open_at(flags.0, &rest, flags.1, flags.2)?;
    let stat = file.stat()?;
    if stat.type_ != DescriptorType::RegularFile {
        return Err(WasiError::Code(ErrorCode::Invalid));
    }
    Ok(Counted::new(WasiFile { file, length: stat.size }))
}

/// A source whose reads are counted.
pub(crate) struct Counted<S> {
    source: S,
    reads: Cell<u32>,
}

impl<S> Counted<S> {
    fn new(source: S) -> Counted<S> {
        Counted { source, reads: Cell::new(0) }
    }

    /// How many reads there were since this was asked last.
    pub(crate) fn take_reads(&self) -> u32 {
        self.reads.take()
    }
}

impl<S: Source> Source for Counted<S> {
    type Error = S::Error;

    fn len(&self) -> Result<u64, S::Error> {
        self.source.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), S::Error> {
        self.reads.set(self.reads.get().saturating_add(1));
        self.source.read_at(offset, buffer)
    }

    fn near(&self) -> bool {
        self.source.near()
    }

    fn follow(&self, offset: u64, mut next: impl FnMut([u8; 8]) -> Option<u64>) -> bool {
        let mut reads = self.reads.get();
        let all = self.source.follow(offset, |word| {
            reads = reads.saturating_add(1);
            next(word)
        });
        self.reads.set(reads);
        all
    }
}

/// A file that WASI opened.
pub(crate) struct WasiFile {
    file: Descriptor,
    /// As it was opened, as with a mapping.
    length: u64,
}

/// Why WASI could not read.
#[derive(Debug)]
pub(crate) enum WasiError {
    Code(ErrorCode),
    /// The file ends before the range does.
    CutShort,
}

impl From<ErrorCode> for WasiError {
    fn from(code: ErrorCode) -> WasiError {
        WasiError::Code(code)
    }
}

impl fmt::Display for WasiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WasiError::Code(ErrorCode::NoEntry) => f.write_str("no such file"),
            WasiError::Code(code) => write!(f, "WASI cannot read it: {}", code.name()),
            WasiError::CutShort => {
                f.write_str("the file is shorter than it was when it was opened")
            }
        }
    }
}

impl Source for WasiFile {
    type Error = WasiError;

    fn len(&self) -> Result<u64, WasiError> {
        Ok(self.length)
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), WasiError> {
        while !buffer.is_empty() {
            // WASI may return less than was asked for.
            let (bytes, _) = self.file.read(buffer.len() as u64, offset)?;
            let (filled, rest) =
                buffer.split_at_mut_checked(bytes.len()).ok_or(WasiError::CutShort)?;
            if filled.is_empty() {
                return Err(WasiError::CutShort);
            }
            filled.copy_from_slice(&bytes);
            (offset, buffer) = (offset + bytes.len() as u64, rest);
        }
        Ok(())
    }
}
