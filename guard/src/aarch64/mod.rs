//! What is written for aarch64: the copy, and the words.

pub(crate) mod copy;
pub(crate) mod words;

/// There is nothing to find out: every aarch64 that runs one of our systems has what the routine
/// uses.
pub(crate) fn detect() {}

/// What the copy is to be told in an ordinary copy; see `x86_64/processor.rs`.
#[inline(always)]
pub(crate) fn chosen() -> usize {
    0
}

/// All that the copy may be told.
pub(crate) fn ways() -> Vec<usize> {
    vec![chosen()]
}
