//! What a component that links `wit-bindgen` 0.57 without its feature `realloc` lacks: `rand` brings it, by
//! `getrandom`, and its `cabi_realloc` calls a function that only the feature has.

use std::alloc::{Layout, alloc, handle_alloc_error, realloc};

/// Memory for what the host returns.
///
/// # Safety
///
/// As the canonical ABI calls it: `old` is null, or was returned by this for `old_len` and `align`.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc_wit_bindgen_0_57_1(
    old: *mut u8,
    old_len: usize,
    align: usize,
    len: usize,
) -> *mut u8 {
    if len == 0 {
        return std::ptr::without_provenance_mut(align);
    }
    let layout = |len| Layout::from_size_align(len, align).expect("as the canonical ABI asks");
    // SAFETY: not of length 0; and `old` is of this allocator, as the caller says.
    let new = unsafe {
        if old_len == 0 { alloc(layout(len)) } else { realloc(old, layout(old_len), len) }
    };
    if new.is_null() {
        handle_alloc_error(layout(len));
    }
    new
}
