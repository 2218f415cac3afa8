//! Sequences of all operations.

use crate::native::Native;
use crate::{Seen, place};
use iommap_model::{Call, Handles, RECORD, Record, Value, hold};
use std::cell::OnceCell;
use std::mem::discriminant;
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
pub fn operations(data: &[u8], seen: &mut Seen) {
    let records: Vec<Record> = data
        .chunks_exact(RECORD)
        .take(LONGEST)
        .map(|chunk| chunk.try_into().expect("as long as a record"))
        .collect();
    PLACE.with(|place| {
        let place = place.get_or_init(|| place::make("operations"));
        let mut native = Native::new(place, true).expect("a directory to grant");
        let mut before = None;
        let mut note = |call: &Call, result: &Result<Value, String>| {
            let now = (discriminant(call), result.as_ref().map(discriminant).map_err(Clone::clone));
            seen.note((&before, &now));
            before = Some(now);
        };
        let held = hold(&mut native, &mut Handles::new(place), place, &records, &mut note);
        if let Err(why) = held {
            panic!("{why}");
        }
        let used = native.account.counters();
        assert_eq!((used.mappings, used.mapped_bytes), (0, 0), "{used:?}");
    });
}
