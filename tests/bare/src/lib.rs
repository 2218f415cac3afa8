//! A guest that does without the standard library: `alloc`, libc's allocator, and `iommap-guest`
//! with none of its features. No buffer is lent, so what it reads is copied.

// A test, and this machine, where clippy looks at it, bring a panic handler of their own.
#![cfg_attr(all(target_arch = "wasm32", not(test)), no_std)]

extern crate alloc;

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "iommap:test/bare",
        generate_all,
    });
}

#[cfg(all(target_arch = "wasm32", not(test)))]
mod runtime;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use iommap_guest::{Error, Mapping};

struct Bare;

bindings::export!(Bare with_types_in bindings);

impl bindings::Guest for Bare {
    fn read(path: String, offset: u64, length: u32) -> Result<Vec<u8>, String> {
        let read = || -> Result<Vec<u8>, Error> {
            let mapping = Mapping::open(&path)?;
            let mut bytes = vec![0; length as usize];
            let n = mapping.read_at(offset, &mut bytes)?;
            bytes.truncate(n);
            Ok(bytes)
        };
        read().map_err(|error| error.kind().name().into())
    }

    fn write(path: String, offset: u64, data: Vec<u8>, len: u64) -> Result<(), String> {
        let write = || -> Result<(), Error> {
            let mut options = Mapping::options();
            let mapping = options.write(true).create(true).open(&path)?;
            mapping.set_len(len)?;
            mapping.write_all_at(offset, &data)?;
            mapping.close()
        };
        write().map_err(|error| error.kind().name().into())
    }
}
