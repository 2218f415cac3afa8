//! What `wit/` has, as a module imports it. `tests/guests/bindings` makes it of the WIT, and holds it
//! to that.
//!
//! A function leaves its `result` at an address that it is given. The canonical ABI lays a variant out
//! as `repr(C, u8)` does: a number, and what belongs to it behind that, aligned for the largest. So
//! a reply needs no more than to be looked at, as far as whoever is called keeps to the interface; a
//! component can call nobody else.

#![allow(dead_code, reason = "a program needs some of it, and replies are made by the host")]
#![allow(missing_docs, unreachable_pub, unused_imports, reason = "generated; the WIT tells")]

#[rustfmt::skip]
mod interfaces;
#[rustfmt::skip]
mod sections;

pub(super) use interfaces::*;
pub(super) use sections::keep;

/// A `result` in memory.
#[repr(C, u8)]
pub enum Reply<T, E = types::ErrorCode> {
    Ok(T),
    Err(E),
}

/// An `option` in memory.
#[repr(C, u8)]
pub enum Optional<T> {
    None,
    Some(T),
}

/// A `list` or a `string` in memory, whose elements are the guest's from then on.
#[repr(C)]
pub struct List {
    pub(super) start: *mut u8,
    pub(super) length: usize,
}

impl<T> From<Optional<T>> for Option<T> {
    fn from(optional: Optional<T>) -> Option<T> {
        match optional {
            Optional::None => None,
            Optional::Some(value) => Some(value),
        }
    }
}
