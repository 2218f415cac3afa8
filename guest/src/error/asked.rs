//! What was asked for when an operation failed, for the error's words.

#[cfg(any(feature = "locks", feature = "storage"))]
use crate::Range;
#[cfg(feature = "storage")]
use crate::storage::Space;
use core::fmt;

/// What was asked for.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// Nobody has said.
    Unknown,
    Open,
    /// With a size that the file was to have.
    Make(u64),
    Read {
        offset: u64,
        length: u64,
    },
    ReadMany {
        ranges: usize,
        length: u64,
    },
    Write {
        offset: u64,
        length: u64,
    },
    WriteMany {
        ranges: usize,
        length: u64,
    },
    #[cfg(feature = "windows")]
    Window {
        offset: u64,
        length: u64,
    },
    #[cfg(feature = "locks")]
    Lock(Range),
    #[cfg(feature = "locks")]
    Unlock(Range),
    #[cfg(feature = "storage")]
    Space(Space, Range),
    #[cfg(feature = "storage")]
    SyncEntry,
    #[cfg(feature = "changes")]
    Changed,
    #[cfg(feature = "changes")]
    Remap,
    #[cfg(feature = "atomics")]
    Word(u64),
    #[cfg(feature = "atomics")]
    Wait(u64),
    Sync,
    SetLen(u64),
    Advise,
    Len,
    Close,
}

impl Asked {
    /// Writes it as the beginning of a sentence, up to what went wrong.
    pub(super) fn write(self, f: &mut fmt::Formatter<'_>, path: Option<&str>) -> fmt::Result {
        let file = path.unwrap_or("the mapping");
        match self {
            Asked::Unknown => return Ok(()),
            Asked::Open => write!(f, "cannot open {file}"),
            Asked::Make(size) => write!(f, "cannot open {file} with a size of {size} bytes"),
            Asked::Read { offset, length } => {
                write!(f, "cannot read {length} bytes at offset {offset} of {file}")
            }
            Asked::ReadMany { ranges, length } => {
                write!(f, "cannot read {length} bytes in {ranges} ranges of {file}")
            }
            Asked::Write { offset, length } => {
                write!(f, "cannot write {length} bytes at offset {offset} of {file}")
            }
            Asked::WriteMany { ranges, length } => {
                write!(f, "cannot write {length} bytes in {ranges} ranges of {file}")
            }
            #[cfg(feature = "windows")]
            Asked::Window { offset, length } => {
                write!(f, "cannot have a window on {length} bytes at offset {offset} of {file}")
            }
            #[cfg(feature = "locks")]
            Asked::Lock(range) => write!(f, "cannot lock {} of {file}", Bytes(range)),
            #[cfg(feature = "locks")]
            Asked::Unlock(range) => write!(f, "cannot unlock {} of {file}", Bytes(range)),
            #[cfg(feature = "storage")]
            Asked::Space(space, Range { offset, length }) => {
                let what = match space {
                    Space::Hole => "make a hole",
                    Space::Zeros => "make zeros",
                    Space::Blocks => "allocate blocks",
                };
                write!(f, "cannot {what} of {length} bytes at offset {offset} of {file}")
            }
            #[cfg(feature = "storage")]
            Asked::SyncEntry => write!(f, "cannot write the entry of {file} to the device"),
            #[cfg(feature = "changes")]
            Asked::Changed => write!(f, "cannot tell what has become of {file}"),
            #[cfg(feature = "changes")]
            Asked::Remap => write!(f, "cannot map what is now at {file}"),
            #[cfg(feature = "atomics")]
            Asked::Word(offset) => write!(f, "cannot use the word at offset {offset} of {file}"),
            #[cfg(feature = "atomics")]
            Asked::Wait(offset) => {
                write!(f, "cannot wait on the word at offset {offset} of {file}")
            }
            Asked::Sync => write!(f, "cannot write {file} back to the device"),
            Asked::SetLen(len) => write!(f, "cannot make {file} {len} bytes long"),
            Asked::Advise => write!(f, "cannot advise on {file}"),
            Asked::Len => write!(f, "cannot tell the length of {file}"),
            Asked::Close => write!(f, "cannot close {file}"),
        }?;
        f.write_str(": ")
    }
}

/// A range that may have no end.
#[cfg(feature = "locks")]
struct Bytes(Range);

#[cfg(feature = "locks")]
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Range { offset: 0, length: 0 } => f.write_str("all"),
            Range { offset, length: 0 } => write!(f, "all from offset {offset} on"),
            Range { offset, length } => write!(f, "{length} bytes at offset {offset}"),
        }
    }
}
