//! Why a map that is safe can't be had.

use std::{error, fmt, io};

/// Why [`MmapOptions::map_if_safe`](crate::MmapOptions::map_if_safe) failed.
pub struct MapIfSafeError {
    why: Why,
}

#[derive(Debug)]
enum Why {
    NotSafe(io::Error),
    MapFailed(io::Error),
}

impl MapIfSafeError {
    pub(crate) fn of(error: io::Error) -> MapIfSafeError {
        let why = match error.kind() {
            io::ErrorKind::Unsupported => Why::NotSafe(error),
            _ => Why::MapFailed(error),
        };
        MapIfSafeError { why }
    }

    /// Is there no such thing on this platform? There is.
    pub fn not_supported(&self) -> bool {
        false
    }

    /// Could the file be changed by somebody?
    pub fn not_safe(&self) -> bool {
        matches!(self.why, Why::NotSafe(_))
    }

    /// Did something else go wrong?
    pub fn map_failed(&self) -> bool {
        matches!(self.why, Why::MapFailed(_))
    }
}

impl fmt::Display for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Why::NotSafe(error) | Why::MapFailed(error)) = &self.why;
        error.fmt(f)
    }
}

impl fmt::Debug for MapIfSafeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl error::Error for MapIfSafeError {}

impl From<MapIfSafeError> for io::Error {
    fn from(error: MapIfSafeError) -> io::Error {
        let (Why::NotSafe(error) | Why::MapFailed(error)) = error.why;
        error
    }
}
