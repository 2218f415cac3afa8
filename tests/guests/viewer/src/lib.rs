//! A guest with windows, locks, storage, changes and words. Its commands are in
//! `tests/script/src/windows.rs`, `locks.rs`, `storage.rs`, `changes.rs` and `atomics.rs`.

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: "../driver/wit",
        world: "iommap:test/driver",
        generate_all,
    });
}

use std::cell::RefCell;

use iommap_script::WindowScript;

struct Viewer;

bindings::export!(Viewer with_types_in bindings);

thread_local! {
    // What it allocates is not this guest's subject.
    static SCRIPT: RefCell<WindowScript> = RefCell::new(WindowScript::new(|| 0));
}

impl bindings::Guest for Viewer {
    fn step(command: String) -> String {
        SCRIPT.with_borrow_mut(|script| script.step(&command))
    }
}
