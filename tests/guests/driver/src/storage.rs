//! The commands for the storage behind files.

use crate::Answer;
use crate::bindings::iommap::mmap::storage::{self, allocate, punch_hole, sync_entry, zero_range};
use crate::bindings::iommap::mmap::types::{ErrorCode, Mapping};
use iommap_commands::{Bad, Words};

pub(crate) fn run(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
) -> Result<Result<(), ErrorCode>, Bad> {
    if verb == "sync-entry" {
        words.end()?;
        return Ok(sync_entry(mapping));
    }
    let (offset, length) = (words.number("an offset")?, words.number("a length")?);
    words.end()?;
    Ok(match verb {
        "punch-hole" => punch_hole(mapping, offset, length),
        "zero-range" => zero_range(mapping, offset, length),
        _ => allocate(mapping, offset, length),
    })
}

pub(crate) fn sync_many(mappings: &[&Mapping]) -> Answer {
    match storage::sync_many(mappings) {
        Ok(()) => Answer::Nothing,
        Err(failure) => Answer::Failed(failure.index, failure.code),
    }
}
