//! What the processor says of itself, and which way to copy follows from it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor copies 32 bytes at a time without a penalty (AVX2).
pub(crate) const WIDE: usize = 1;
/// The processor's own string copy is quick (ERMS).
pub(crate) const STRING: usize = 2;

/// What the copy is told. Nothing until [`detect`] ran, which is correct everywhere and only
/// slower.
static HOW: AtomicUsize = AtomicUsize::new(0);

/// Asks the processor once what it can do.
pub(crate) fn detect() {
    HOW.store(available(), Ordering::Relaxed);
}

/// What this processor can do.
pub(crate) fn available() -> usize {
    let mut how = 0;
    // AVX is all that the loop needs. The first processors that had it split a load of 32 bytes
    // in two, so AVX2 is the sign that it pays.
    if std::arch::is_x86_feature_detected!("avx2") {
        how |= WIDE;
    }
    if std::arch::is_x86_feature_detected!("ermsb") {
        how |= STRING;
    }
    how
}

/// What the copy is to be told in an ordinary copy.
#[inline(always)]
pub(crate) fn chosen() -> usize {
    HOW.load(Ordering::Relaxed)
}
