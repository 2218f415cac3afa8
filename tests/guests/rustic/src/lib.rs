//! A guest on the crate `iommap-guest`. Its commands are in `tests/script`.
//!
//! It counts whatever asks for memory: its allocator, and its `cabi_realloc`, which takes the
//! place of that of the standard library. So it also shows that the crate goes with one of the
//! program's own.

#[cfg(target_arch = "wasm32")]
mod memory;

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: "../driver/wit",
        world: "iommap:test/driver",
        generate_all,
    });
}

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use iommap_script::Script;

/// How often memory was asked for.
static ASKED: AtomicU64 = AtomicU64::new(0);

struct Rustic;

bindings::export!(Rustic with_types_in bindings);

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::new(Script::new(|| ASKED.load(Relaxed)));
}

impl bindings::Guest for Rustic {
    fn step(command: String) -> String {
        SCRIPT.with_borrow_mut(|script| script.step(&command))
    }
}
