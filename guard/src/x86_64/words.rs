//! Loads, stores and atomic changes of one word, for x86-64: a routine each, of 32 bytes, and one
//! landing pad for all.
//!
//! As the copy, they have no frame: wherever a fault stops one, the return address is at `rsp`.
//! They take the address in `rdi`, a value in `rsi` and the value to compare with in `rdx`, and
//! return the word's former value in `rax` and in `rdx` whether the page was lost.
//!
//! A `lock` makes an instruction the processor's strongest order; so does `xchg`, which needs
//! none. A plain load is enough where every store is one of those.

use std::arch::naked_asm;

use crate::atomic::{Operation, Outcome, Routine};

/// Each routine is exactly this long, padding included.
pub(crate) const SIZE: usize = 32;

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
                    #[cfg(target_os = "openbsd")]
                    "endbr64",
                    $($line,)+
                    "xor edx, edx",
                    "ret",
                    ".org 2b + {size}, 0xcc",
                    size = const SIZE,
                )
            }
        )+

        /// All of them, for the handler.
        pub(crate) static ALL: &[Routine] = &[$($name),+];
    };
}

words! {
    load_32: "mov eax, [rdi]";
    load_64: "mov rax, [rdi]";
    swap_32: "mov eax, esi", "xchg [rdi], eax";
    swap_64: "mov rax, rsi", "xchg [rdi], rax";
    compare_32: "mov eax, edx", "lock cmpxchg [rdi], esi";
    compare_64: "mov rax, rdx", "lock cmpxchg [rdi], rsi";
    add_32: "mov eax, esi", "lock xadd [rdi], eax";
    add_64: "mov rax, rsi", "lock xadd [rdi], rax";
    // No instruction both changes the bits and tells what they were. After a failure `rax` holds
    // what is there now.
    and_32: "mov eax, [rdi]", "3:", "mov ecx, eax", "and ecx, esi", "lock cmpxchg [rdi], ecx", "jne 3b";
    and_64: "mov rax, [rdi]", "3:", "mov rcx, rax", "and rcx, rsi", "lock cmpxchg [rdi], rcx", "jne 3b";
    or_32: "mov eax, [rdi]", "3:", "mov ecx, eax", "or ecx, esi", "lock cmpxchg [rdi], ecx", "jne 3b";
    or_64: "mov rax, [rdi]", "3:", "mov rcx, rax", "or rcx, rsi", "lock cmpxchg [rdi], rcx", "jne 3b";
    xor_32: "mov eax, [rdi]", "3:", "mov ecx, eax", "xor ecx, esi", "lock cmpxchg [rdi], ecx", "jne 3b";
    xor_64: "mov rax, [rdi]", "3:", "mov rcx, rax", "xor rcx, rsi", "lock cmpxchg [rdi], rcx", "jne 3b";
}

/// The routine for an operation, on 64 bits or on 32.
#[inline(always)]
pub(crate) const fn routine(operation: Operation, wide: bool) -> Routine {
    match (operation, wide) {
        (Operation::Load, false) => load_32,
        (Operation::Load, true) => load_64,
        // A store that all agree on costs what a swap does.
        (Operation::Store | Operation::Swap, false) => swap_32,
        (Operation::Store | Operation::Swap, true) => swap_64,
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
    naked_asm!("xor eax, eax", "mov edx, 1", "ret")
}
