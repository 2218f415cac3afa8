//! A range of a mapping.

/// `length` bytes from `offset` on.
///
/// ```
/// let header = iommap::Range { offset: 0, length: 16 };
/// assert_eq!(format!("{header:?}"), "Range { offset: 0, length: 16 }");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Where the range starts, in bytes from the start of the mapping.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}
