//! Commands for storage:
//!
//! ```text
//! punch-hole NAME OFFSET LENGTH
//! zero-range NAME OFFSET LENGTH
//! allocate NAME OFFSET LENGTH
//! sync-entry NAME
//! sync-all NAME...                    or err PATH: CODE of the mapping that failed
//! ```

use iommap_commands::{Bad, Words};
use iommap_guest::{Error, Mapping};

use crate::{Answer, span};

pub(crate) fn operation(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
) -> Result<Result<Answer, Error>, Bad> {
    let done = if verb == "sync-entry" {
        words.end()?;
        mapping.sync_entry()
    } else {
        let range = span(&mut words)?;
        match verb {
            "punch-hole" => mapping.punch_hole(range),
            "zero-range" => mapping.zero_range(range),
            _ => mapping.allocate(range),
        }
    };
    Ok(done.map(|()| Answer::Nothing))
}

pub(crate) fn sync_all(mappings: &[&Mapping]) -> String {
    match iommap_guest::sync_all(mappings) {
        Ok(()) => "ok".into(),
        Err(error) => {
            format!("err {}: {}", error.path().unwrap_or("no path"), error.kind().name())
        }
    }
}
