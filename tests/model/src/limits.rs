//! What the subject of a test may use: little, so that random operations reach every limit.

use crate::page;

/// Limits by the names that iommap's own have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mappings open at once.
    pub mappings: u64,
    /// Bytes mapped at once.
    pub mapped_bytes: u64,
    /// The length to which a file may be made.
    pub file_bytes: u64,
    /// Bytes that one call may move.
    pub call_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            mappings: 4,
            mapped_bytes: 28 * page(),
            file_bytes: 9 * page() + 100,
            call_bytes: 6 * page(),
        }
    }
}
