//! What Debian's wasi-libc lacks and newer ones answer with "not supported": threads, sockets.
//!
//! Joined to both start files, these let programs link that only would use them elsewhere
//! (rayon, std::net).
#![no_std]

use core::ffi::{c_char, c_int, c_void};

const ENOTSUP: c_int = 58;
const EAI_FAIL: c_int = -4;
const FAILED: c_int = -1;

type Any = *mut c_void;

#[no_mangle]
pub extern "C" fn pthread_attr_init(_: Any) -> c_int {
    0
}
#[no_mangle]
pub extern "C" fn pthread_attr_destroy(_: Any) -> c_int {
    0
}
#[no_mangle]
pub extern "C" fn pthread_attr_setstacksize(_: Any, _: usize) -> c_int {
    0
}
#[no_mangle]
pub extern "C" fn pthread_create(_: Any, _: Any, _: Any, _: Any) -> c_int {
    ENOTSUP
}
#[no_mangle]
pub extern "C" fn pthread_join(_: usize, _: Any) -> c_int {
    ENOTSUP
}
#[no_mangle]
pub extern "C" fn pthread_detach(_: usize) -> c_int {
    ENOTSUP
}

#[no_mangle]
pub extern "C" fn getaddrinfo(_: Any, _: Any, _: Any, _: Any) -> c_int {
    EAI_FAIL
}
#[no_mangle]
pub extern "C" fn freeaddrinfo(_: Any) {}
#[no_mangle]
pub extern "C" fn gai_strerror(_: c_int) -> *const c_char {
    c"not supported".as_ptr()
}
#[no_mangle]
pub extern "C" fn socket(_: c_int, _: c_int, _: c_int) -> c_int {
    FAILED
}
#[no_mangle]
pub extern "C" fn connect(_: c_int, _: Any, _: u32) -> c_int {
    FAILED
}
#[no_mangle]
pub extern "C" fn bind(_: c_int, _: Any, _: u32) -> c_int {
    FAILED
}
#[no_mangle]
pub extern "C" fn listen(_: c_int, _: c_int) -> c_int {
    FAILED
}
