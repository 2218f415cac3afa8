//! The copy for x86-64: one routine without a frame, whose every instruction lies between two
//! addresses that the handler knows.
//!
//! Three things make it recoverable at any instruction:
//!
//! - It never touches the stack: no push, no call, no spill. Wherever a fault stops it, `rsp`
//!   points at the return address, so the handler needs to move the program counter and nothing
//!   else. (A shadow stack agrees for the same reason. So does an unwinder's default rule, which
//!   is why there is no CFI here: nothing unwinds out of the routine.)
//! - `r8` is the end of the destination from the first instruction on, and `rdi` is the first
//!   byte that is not known to be copied. `rdi` moves only when everything before it was stored.
//!   [`landing`] subtracts the one from the other.
//! - `rdx` is the second half of what the routine returns. The handler puts the fault's address
//!   there, and the landing pad leaves it alone.
//! - `eax` is zero until the upper halves of the vector registers were touched, so that the
//!   landing pad knows whether it has to clean them. It is also what a whole copy returns.
//!
//! The range is a constant: `.org` fills the routine up to [`SIZE`] bytes, and the assembler
//! refuses a routine that is longer. So there is no end symbol, and the only names are Rust's
//! mangled ones: two versions of this crate in one program don't meet.
//!
//! A program calls the routine through its table of addresses, unless the linker makes a direct call
//! of it. OpenBSD has the processor check where an indirect call lands, so there the routine begins
//! with `endbr64`. The landing pad needs none: no branch leads there, but a return from the kernel.

use std::arch::naked_asm;

use super::processor::WIDE;
use crate::fault::Left;

/// The routine is exactly this long, padding included.
pub(crate) const SIZE: usize = 768;

/// Copies `len` bytes and returns how many are left: none, or after a fault at least as many as
/// were not copied, and the fault's address.
///
/// Stores go upwards, so after a fault on the destination nothing behind the lost page was
/// written by a store that came before it. Up to 64 bytes a copy is a few loads and then as many
/// stores, the last ones overlapping the ones before: no loop, and one branch or two.
///
/// # Safety
///
/// As for [`copy`](crate::copy). `how` is one of [`ways`](super::processor::ways).
#[unsafe(naked)]
pub(crate) unsafe extern "sysv64" fn routine(
    dst: *mut u8,
    src: *const u8,
    len: usize,
    how: usize,
) -> Left {
    naked_asm!(
        "2:",
        #[cfg(target_os = "openbsd")]
        "endbr64",
        "lea r8, [rdi + rdx]",
        "xor eax, eax",
        "cmp rdx, 16",
        "ja 30f",
        "cmp edx, 8",
        "jb 20f",
        // 8 to 16.
        "mov r9, [rsi]",
        "mov r10, [rsi + rdx - 8]",
        "mov [rdi], r9",
        "mov [r8 - 8], r10",
        "ret",
        // 0 to 7.
        "20:",
        "cmp edx, 4",
        "jb 21f",
        "mov r9d, [rsi]",
        "mov r10d, [rsi + rdx - 4]",
        "mov [rdi], r9d",
        "mov [r8 - 4], r10d",
        "ret",
        // 0 to 3: the byte in front, then the last two, which overlap it in a copy of two.
        "21:",
        "test edx, edx",
        "jz 23f",
        "movzx r9d, byte ptr [rsi]",
        "cmp edx, 1",
        "je 22f",
        "movzx r10d, word ptr [rsi + rdx - 2]",
        "mov [rdi], r9b",
        "mov [r8 - 2], r10w",
        "ret",
        "22:",
        "mov [rdi], r9b",
        "23:",
        "ret",
        // 17 to 32.
        ".p2align 4",
        "30:",
        "cmp rdx, 32",
        "ja 31f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [r8 - 16], xmm1",
        "ret",
        // 33 to 64.
        ".p2align 4",
        "31:",
        "cmp rdx, 64",
        "ja 40f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [r8 - 32], xmm2",
        "movups [r8 - 16], xmm3",
        "ret",
        // Above 64: `r9` becomes the end of the source, for the overlapping tail.
        ".p2align 4",
        "40:",
        "lea r9, [rsi + rdx]",
        "cmp rdx, rcx",
        "jae 70f",
        "test ecx, {wide}",
        "jz 60f",
        "mov eax, 1",
        "cmp rdx, 128",
        "ja 50f",
        // 65 to 128, wide.
        "vmovdqu ymm0, [rsi]",
        "vmovdqu ymm1, [rsi + 32]",
        "vmovdqu ymm2, [r9 - 64]",
        "vmovdqu ymm3, [r9 - 32]",
        "vmovdqu [rdi], ymm0",
        "vmovdqu [rdi + 32], ymm1",
        "vmovdqu [r8 - 64], ymm2",
        "vmovdqu [r8 - 32], ymm3",
        "vzeroupper",
        "xor eax, eax",
        "ret",
        // More than 128, wide: 32 bytes, so that the loop can start at an aligned destination,
        // then 128 at a time while more than 128 are left, then the last 128.
        ".p2align 4",
        "50:",
        "vmovdqu ymm0, [rsi]",
        "vmovdqu [rdi], ymm0",
        "mov r10, rdi",
        "and r10d, 31",
        "sub r10, 32",
        "sub rdi, r10",
        "sub rsi, r10",
        "add rdx, r10",
        "sub rdx, 128",
        "jbe 52f",
        ".p2align 5",
        "51:",
        "vmovdqu ymm0, [rsi]",
        "vmovdqu ymm1, [rsi + 32]",
        "vmovdqu ymm2, [rsi + 64]",
        "vmovdqu ymm3, [rsi + 96]",
        "sub rsi, -128",
        "vmovdqa [rdi], ymm0",
        "vmovdqa [rdi + 32], ymm1",
        "vmovdqa [rdi + 64], ymm2",
        "vmovdqa [rdi + 96], ymm3",
        "sub rdi, -128",
        "sub rdx, 128",
        "ja 51b",
        "52:",
        "vmovdqu ymm0, [r9 - 128]",
        "vmovdqu ymm1, [r9 - 96]",
        "vmovdqu ymm2, [r9 - 64]",
        "vmovdqu ymm3, [r9 - 32]",
        "vmovdqu [r8 - 128], ymm0",
        "vmovdqu [r8 - 96], ymm1",
        "vmovdqu [r8 - 64], ymm2",
        "vmovdqu [r8 - 32], ymm3",
        "vzeroupper",
        "xor eax, eax",
        "ret",
        // More than 64, narrow: the same with 16 and 64.
        ".p2align 4",
        "60:",
        "movups xmm0, [rsi]",
        "movups [rdi], xmm0",
        "mov r10, rdi",
        "and r10d, 15",
        "sub r10, 16",
        "sub rdi, r10",
        "sub rsi, r10",
        "add rdx, r10",
        "sub rdx, 64",
        "jbe 62f",
        ".p2align 5",
        "61:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "add rsi, 64",
        "movaps [rdi], xmm0",
        "movaps [rdi + 16], xmm1",
        "movaps [rdi + 32], xmm2",
        "movaps [rdi + 48], xmm3",
        "add rdi, 64",
        "sub rdx, 64",
        "ja 61b",
        "62:",
        "movups xmm0, [r9 - 64]",
        "movups xmm1, [r9 - 48]",
        "movups xmm2, [r9 - 32]",
        "movups xmm3, [r9 - 16]",
        "movups [r8 - 64], xmm0",
        "movups [r8 - 48], xmm1",
        "movups [r8 - 32], xmm2",
        "movups [r8 - 16], xmm3",
        "ret",
        // The string copy: 64 bytes, so that it can start at an aligned destination, then the
        // rest. The processor keeps `rdi` at the next byte to store, also when it faults.
        ".p2align 4",
        "70:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "mov r10, rdi",
        "and r10d, 63",
        "sub r10, 64",
        "sub rdi, r10",
        "sub rsi, r10",
        "lea rcx, [rdx + r10]",
        "rep movsb",
        "ret",
        ".org 2b + {size}, 0xcc",
        wide = const WIDE,
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
pub(crate) unsafe extern "sysv64" fn landing() -> Left {
    naked_asm!("test eax, eax", "jz 2f", "vzeroupper", "2:", "mov rax, r8", "sub rax, rdi", "ret",)
}
