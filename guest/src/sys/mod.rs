//! What a mapping is: in a component the host's, elsewhere an ordinary file.

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(not(target_arch = "wasm32"))]
mod file;

#[cfg(target_arch = "wasm32")]
pub(crate) use component::Handle;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use file::Handle;
