//! The copy for aarch64: one routine without a frame, whose every instruction lies between two
//! addresses that the handler knows.
//!
//! The scheme is that of `x86_64/copy.rs`, and simpler, because one set of instructions is enough:
//!
//! - It never touches the stack, so the handler needs to move the program counter and nothing
//!   else. The return address is in `x30` throughout. Nothing unwinds out of the routine, so it
//!   needs no CFI.
//! - `x4` is the end of the destination from the first instruction on, and `x0` is the first
//!   byte that is not known to be copied. `x0` moves only when everything before it was stored.
//!   [`landing`] subtracts the one from the other.
//! - `x1` is the second half of what the routine returns. The handler puts the fault's address
//!   there, and the landing pad leaves it alone.
//! - The range is a constant: `.org` fills the routine up to [`SIZE`] bytes, and the assembler
//!   refuses a routine that is longer. The only names are Rust's mangled ones.
//!
//! The two begin with `hint #34`, which is `bti c`: a program calls the routine through its table
//! of addresses, and OpenBSD has the processor check where an indirect call lands. Processors
//! without the check do nothing there.

use std::arch::naked_asm;

use crate::fault::Left;

/// The routine is exactly this long, padding included.
pub(crate) const SIZE: usize = 512;

/// Copies `len` bytes and returns how many are left: none, or after a fault at least as many as
/// were not copied, and the fault's address.
///
/// Up to 128 bytes a copy is a few loads and then as many stores, the last ones overlapping the
/// ones before: no loop, and one branch or two.
///
/// # Safety
///
/// As for [`copy`](crate::copy).
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn routine(
    dst: *mut u8,
    src: *const u8,
    len: usize,
    how: usize,
) -> Left {
    naked_asm!(
        "2:",
        "hint #34",
        "add x4, x0, x2",
        "add x5, x1, x2",
        "cmp x2, #16",
        "b.hi 30f",
        // 8 to 16.
        "tbz w2, #4, 20f",
        "ldr q0, [x1]",
        "str q0, [x0]",
        "mov x0, #0",
        "ret",
        "20:",
        "tbz w2, #3, 21f",
        "ldr x6, [x1]",
        "ldr x7, [x5, #-8]",
        "str x6, [x0]",
        "str x7, [x4, #-8]",
        "mov x0, #0",
        "ret",
        // 4 to 7.
        "21:",
        "tbz w2, #2, 22f",
        "ldr w6, [x1]",
        "ldr w7, [x5, #-4]",
        "str w6, [x0]",
        "str w7, [x4, #-4]",
        "mov x0, #0",
        "ret",
        // 0 to 3: the byte in front, then the last two, which overlap it in a copy of two.
        "22:",
        "cbz w2, 24f",
        "ldrb w6, [x1]",
        "tbz w2, #1, 23f",
        "ldrh w7, [x5, #-2]",
        "strb w6, [x0]",
        "strh w7, [x4, #-2]",
        "mov x0, #0",
        "ret",
        "23:",
        "strb w6, [x0]",
        "24:",
        "mov x0, #0",
        "ret",
        // 17 to 32.
        ".p2align 4",
        "30:",
        "cmp x2, #32",
        "b.hi 31f",
        "ldr q0, [x1]",
        "ldr q1, [x5, #-16]",
        "str q0, [x0]",
        "str q1, [x4, #-16]",
        "mov x0, #0",
        "ret",
        // 33 to 64.
        ".p2align 4",
        "31:",
        "cmp x2, #64",
        "b.hi 32f",
        "ldp q0, q1, [x1]",
        "ldp q2, q3, [x5, #-32]",
        "stp q0, q1, [x0]",
        "stp q2, q3, [x4, #-32]",
        "mov x0, #0",
        "ret",
        // 65 to 128.
        ".p2align 4",
        "32:",
        "cmp x2, #128",
        "b.hi 40f",
        "ldp q0, q1, [x1]",
        "ldp q2, q3, [x1, #32]",
        "ldp q4, q5, [x5, #-64]",
        "ldp q6, q7, [x5, #-32]",
        "stp q0, q1, [x0]",
        "stp q2, q3, [x0, #32]",
        "stp q4, q5, [x4, #-64]",
        "stp q6, q7, [x4, #-32]",
        "mov x0, #0",
        "ret",
        // More than 128: 16 bytes, so that the loop can start at an aligned destination, then 64
        // at a time while more than 64 are left, then the last 64.
        ".p2align 4",
        "40:",
        "ldr q0, [x1]",
        "str q0, [x0]",
        "and x6, x0, #15",
        "sub x6, x6, #16",
        "sub x0, x0, x6",
        "sub x1, x1, x6",
        "sub x2, x4, x0",
        "sub x2, x2, #64",
        ".p2align 5",
        "41:",
        "ldp q0, q1, [x1]",
        "ldp q2, q3, [x1, #32]",
        "add x1, x1, #64",
        "stp q0, q1, [x0]",
        "stp q2, q3, [x0, #32]",
        "add x0, x0, #64",
        "subs x2, x2, #64",
        "b.hi 41b",
        "ldp q0, q1, [x5, #-64]",
        "ldp q2, q3, [x5, #-32]",
        "stp q0, q1, [x4, #-64]",
        "stp q2, q3, [x4, #-32]",
        "mov x0, #0",
        "ret",
        ".org 2b + {size}",
        size = const SIZE,
    )
}

/// Where the handler sends a faulted [`routine`]: as if the routine itself returned how many
/// bytes are left.
///
/// # Safety
///
/// Never called. Only jumped to, with the registers of a faulted [`routine`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn landing() -> Left {
    naked_asm!("hint #34", "sub x0, x4, x0", "ret")
}
