//! Sequences of all operations.

use crate::place;
use iommap_model::{Handles, Native, RECORD, Record, Subject, hold};
use std::cell::OnceCell;
use std::path::PathBuf;

/// No more operations than this, so that an input takes a bounded time.
const LONGEST: usize = 100;

thread_local! {
    static PLACE: OnceCell<PathBuf> = const { OnceCell::new() };
}

/// Takes eight bytes as an operation, and holds the native layer to the model.
///
/// # Panics
///
/// If the two differ.
pub fn operations(data: &[u8]) {
    let records: Vec<Record> = data
        .chunks_exact(RECORD)
        .take(LONGEST)
        .map(|chunk| chunk.try_into().expect("as long as a record"))
        .collect();
    PLACE.with(|place| {
        let place = place.get_or_init(|| place::make("operations"));
        let mut native = Native::new(place, true).expect("a directory to grant");
        let held = hold(&mut native, &mut Handles::new(place), place, &records, &mut |_, _| ());
        if let Err(why) = held {
            panic!("{why}");
        }
        let (mappings, mapped_bytes, _) = native.used();
        assert_eq!((mappings, mapped_bytes, native.locks()), (0, 0, 0), "left in use");
    });
}
