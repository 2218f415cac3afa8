//! What the processor says of itself, and which way to copy follows from it.
//!
//! The copy is told by one number: the length from which on it leaves the work to the processor's
//! own string copy, a multiple of 64, and in the lowest bit whether it may move 32 bytes at once
//! below that. (With the bit, the length is one more: hence those that end just before a round one.)

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor copies 32 bytes at a time without a penalty (AVX2).
pub(crate) const WIDE: usize = 1;

/// The string copy from no length on.
const NEVER: usize = usize::MAX & !63;

/// The string copy from here on, where the processor says that it is quick for long copies (ERMS).
///
/// Measured on a Zen 5: at 4 KiB the loop wins by a fifth, from 64 KiB on the string copy, which
/// need not read the destination's cache lines before it writes them.
const LONG: usize = 16 * 1024 - 64;

/// The same on an Intel that says it is quick for short ones too (FSRM).
///
/// Measured on an Emerald Rapids: at 2 KiB the loop takes two thirds of the string copy's time, if
/// the bytes are in the cache; from 4 KiB on that takes as long as `memcpy`, and the loop 1.1 times
/// as long, or 1.15 at random places of memory. AMD's say FSRM as well, and are as above.
const SHORT: usize = 4 * 1024 - 64;

/// What the copy is told. What is right everywhere, and slower, until [`detect`] ran.
static HOW: AtomicUsize = AtomicUsize::new(NEVER);

/// Asks the processor once what it can do.
pub(crate) fn detect() {
    HOW.store(best(), Ordering::Relaxed);
}

/// What the copy is to be told in an ordinary copy.
#[inline(always)]
pub(crate) fn chosen() -> usize {
    HOW.load(Ordering::Relaxed)
}

/// All that the copy may be told on this processor, for the tests: the string copy also from the
/// shortest length on that it can begin with.
pub(crate) fn ways() -> Vec<usize> {
    let wide = best() & WIDE;
    let lengths: &[usize] = if says().string { &[NEVER, 128, SHORT, LONG] } else { &[NEVER] };
    let ways = lengths.iter().flat_map(|length| [*length, length | wide]);
    let mut ways: Vec<_> = ways.collect();
    ways.dedup();
    ways
}

fn best() -> usize {
    let says = says();
    let length = match (says.string, says.short && says.intel) {
        (true, true) => SHORT,
        (true, false) => LONG,
        (false, _) => NEVER,
    };
    // AVX is all that the loop needs. The first processors that had it split a load of 32 bytes
    // in two, so AVX2 is the sign that it pays.
    length | if std::arch::is_x86_feature_detected!("avx2") { WIDE } else { 0 }
}

struct Says {
    intel: bool,
    /// ERMS: the string copy is quick.
    string: bool,
    /// FSRM: also a short one.
    short: bool,
}

fn says() -> Says {
    let first = __cpuid(0);
    let features = if first.eax >= 7 { __cpuid_count(7, 0) } else { first };
    let has = |register: u32, bit: u32| first.eax >= 7 && register & 1 << bit != 0;
    Says {
        intel: [first.ebx, first.edx, first.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel",
        string: has(features.ebx, 9),
        short: has(features.edx, 4),
    }
}
