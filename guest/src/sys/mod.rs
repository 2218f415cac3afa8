//! What a mapping is: in a component the host's, elsewhere an ordinary file.

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(not(target_arch = "wasm32"))]
mod file;
#[cfg(any(target_arch = "wasm32", test))]
#[cfg_attr(not(feature = "in-place"), allow(dead_code, reason = "nothing is lent without it"))]
mod loan;

#[cfg(target_arch = "wasm32")]
pub(crate) use component::Handle;
#[cfg(all(feature = "windows", target_arch = "wasm32"))]
pub(crate) use component::Window;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use file::Handle;
#[cfg(all(feature = "windows", not(target_arch = "wasm32")))]
pub(crate) use file::Window;
