//! Loads, stores and atomic changes of one word, for aarch64: a routine each, of 64 bytes, and one
//! landing pad for all.
//!
//! As the copy, they have no frame: the return address is in `x30` throughout. They take the
//! address in `x0`, a value in `x1` and the value to compare with in `x2`, and return the word's
//! former value in `x0` and in `x1` whether the page was lost.
//!
//! They use the exclusive loads and stores that every aarch64 has, and not the atomic instructions
//! of later ones: those would have to be asked for, and a fault costs more than both.

use std::arch::naked_asm;

use crate::atomic::{Operation, Outcome, Routine};

/// Each routine is exactly this long, padding included.
pub(crate) const SIZE: usize = 64;

macro_rules! words {
    ($($name:ident: $($line:literal),+;)+) => {
        $(
            /// See [`routine`].
            ///
            /// # Safety
            ///
            /// As for [`Routine`].
            #[unsafe(naked)]
            unsafe extern "C" fn $name(at: *mut (), value: u64, expected: u64) -> Outcome {
                naked_asm!(
                    "2:",
                    "hint #34",
                    $($line,)+
                    "mov x1, #0",
                    "ret",
                    ".org 2b + {size}",
                    size = const SIZE,
                )
            }
        )+

        /// All of them, for the handler.
        pub(crate) static ALL: &[Routine] = &[$($name),+];
    };
}

words! {
    load_32: "ldar w0, [x0]";
    load_64: "ldar x0, [x0]";
    store_32: "stlr w1, [x0]";
    store_64: "stlr x1, [x0]";
    swap_32: "3:", "ldaxr w3, [x0]", "stlxr w4, w1, [x0]", "cbnz w4, 3b", "mov w0, w3";
    swap_64: "3:", "ldaxr x3, [x0]", "stlxr w4, x1, [x0]", "cbnz w4, 3b", "mov x0, x3";
    compare_32: "3:", "ldaxr w3, [x0]", "cmp w3, w2", "b.ne 4f", "stlxr w4, w1, [x0]", "cbnz w4, 3b",
        "4:", "mov w0, w3";
    compare_64: "3:", "ldaxr x3, [x0]", "cmp x3, x2", "b.ne 4f", "stlxr w4, x1, [x0]", "cbnz w4, 3b",
        "4:", "mov x0, x3";
    add_32: "3:", "ldaxr w3, [x0]", "add w5, w3, w1", "stlxr w4, w5, [x0]", "cbnz w4, 3b", "mov w0, w3";
    add_64: "3:", "ldaxr x3, [x0]", "add x5, x3, x1", "stlxr w4, x5, [x0]", "cbnz w4, 3b", "mov x0, x3";
    and_32: "3:", "ldaxr w3, [x0]", "and w5, w3, w1", "stlxr w4, w5, [x0]", "cbnz w4, 3b", "mov w0, w3";
    and_64: "3:", "ldaxr x3, [x0]", "and x5, x3, x1", "stlxr w4, x5, [x0]", "cbnz w4, 3b", "mov x0, x3";
    or_32: "3:", "ldaxr w3, [x0]", "orr w5, w3, w1", "stlxr w4, w5, [x0]", "cbnz w4, 3b", "mov w0, w3";
    or_64: "3:", "ldaxr x3, [x0]", "orr x5, x3, x1", "stlxr w4, x5, [x0]", "cbnz w4, 3b", "mov x0, x3";
    xor_32: "3:", "ldaxr w3, [x0]", "eor w5, w3, w1", "stlxr w4, w5, [x0]", "cbnz w4, 3b", "mov w0, w3";
    xor_64: "3:", "ldaxr x3, [x0]", "eor x5, x3, x1", "stlxr w4, x5, [x0]", "cbnz w4, 3b", "mov x0, x3";
}

/// The routine for an operation, on 64 bits or on 32.
#[inline(always)]
pub(crate) const fn routine(operation: Operation, wide: bool) -> Routine {
    match (operation, wide) {
        (Operation::Load, false) => load_32,
        (Operation::Load, true) => load_64,
        (Operation::Store, false) => store_32,
        (Operation::Store, true) => store_64,
        (Operation::Swap, false) => swap_32,
        (Operation::Swap, true) => swap_64,
        (Operation::CompareExchange, false) => compare_32,
        (Operation::CompareExchange, true) => compare_64,
        (Operation::Add, false) => add_32,
        (Operation::Add, true) => add_64,
        (Operation::And, false) => and_32,
        (Operation::And, true) => and_64,
        (Operation::Or, false) => or_32,
        (Operation::Or, true) => or_64,
        (Operation::Xor, false) => xor_32,
        (Operation::Xor, true) => xor_64,
    }
}

/// Where the handler sends a faulted routine: as if it returned that the page is lost.
///
/// # Safety
///
/// Never called. Only jumped to, from a faulted routine of [`ALL`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn landing() -> Outcome {
    naked_asm!("hint #34", "mov x0, #0", "mov x1, #1", "ret")
}
