//! What is written for aarch64: the copy, and the words.

pub(crate) mod copy;
pub(crate) mod words;

/// There is nothing to find out: every aarch64 that runs one of our systems has what the routine
/// uses.
pub(crate) fn detect() {}

/// What this processor can do beyond the basics; see `x86_64/processor.rs`.
pub(crate) fn available() -> usize {
    0
}

/// What the copy is to be told in an ordinary copy.
#[inline(always)]
pub(crate) fn chosen() -> usize {
    0
}
