//! What a *command* starts with, for `crt1-command.o`.
//!
//! Debian's wasi-libc is older than the crt1 that runs constructors by itself. Without this one
//! a command built for wasm32-wasip2 sees no preopened directories.
#![no_std]

extern "C" {
    fn __wasm_call_ctors();
    fn __main_void() -> i32;
    fn __wasm_call_dtors();
    fn exit(code: i32) -> !;
}

#[no_mangle]
pub unsafe extern "C" fn _start() {
    // SAFETY: the host calls this once, before anything else of the command runs, and each of these
    // is wasi-libc's or the linker's, of the type that they have there.
    unsafe {
        __wasm_call_ctors();
        let code = __main_void();
        __wasm_call_dtors();
        if code != 0 {
            exit(code)
        }
    }
}
