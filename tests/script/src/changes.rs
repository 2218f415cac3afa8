//! Commands for changes of files:
//!
//! ```text
//! changed NAME                     ok LENGTH WORDS: the file's length, and shorter, longer, replaced or
//!                                  gone, with commas; - for none
//! modified NAME                    ok, true or false
//! file-len NAME                    ok LENGTH
//! read-up-to NAME OFFSET LENGTH    ok N hex:..
//! read-strict NAME OFFSET LENGTH   ok hex:..
//! remap NAME NEW                   the mapping that is new is called NEW
//! know NAME                        remembers what is known of the file
//! wait NAME WAIT                   ok same, or what changed says; WAIT in milliseconds, or - for as
//!                                  long as it takes
//! ```

use std::time::Duration;

use iommap_commands::{Bad, Words};
use iommap_guest::{Error, FileState, Mapping};

use crate::{Answer, Meter, Script, span};

impl Script {
    pub(crate) fn change(
        &mut self,
        verb: &str,
        name: String,
        mut words: Words,
    ) -> Result<Result<Answer, Error>, Bad> {
        if verb == "remap" {
            let new = words.text("a name")?;
            words.end()?;
            let mapping = self.mapping(&name)?.remap();
            return Ok(mapping.map(|mapping| {
                self.keep(new, mapping);
                Answer::Nothing
            }));
        }
        if verb == "know" {
            words.end()?;
            let state = self.mapping(&name)?.changed();
            return Ok(state.map(|state| {
                self.known.insert(name, state);
                Answer::Nothing
            }));
        }
        let wait = match &*words.text("a time")? {
            "-" => None,
            number => Some(Duration::from_millis(iommap_commands::number(number)?)),
        };
        words.end()?;
        let known =
            *self.known.get(&name).ok_or_else(|| Bad(format!("nothing is known of {name:?}")))?;
        let changed = self.mapping(&name)?.wait_for_change(&known, wait);
        Ok(changed.map(|changed| Answer::Text(changed.map_or("same".into(), |state| said(&state)))))
    }
}

pub(crate) fn operation(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
    meter: &mut Meter,
) -> Result<Result<Answer, Error>, Bad> {
    if let "read-up-to" | "read-strict" = verb {
        let (offset, length) = span(&mut words)?;
        return Ok(if verb == "read-up-to" {
            meter.read(length, |buf| mapping.read_up_to(offset, buf))?.map(Answer::Count)
        } else {
            let read = |buf: &mut [u8]| mapping.read_strict(offset, buf).map(|()| buf.len());
            meter.read(length, read)?.map(Answer::Bytes)
        });
    }
    words.end()?;
    Ok(match verb {
        "file-len" => mapping.file_len().map(Answer::Number),
        "modified" => mapping.changed().map(|state| Answer::Text(state.modified.to_string())),
        _ => mapping.changed().map(|state| Answer::Text(said(&state))),
    })
}

/// Without times, which depend on the file system.
fn said(state: &FileState) -> String {
    let words = [
        (state.shorter, "shorter"),
        (state.longer, "longer"),
        (state.replaced, "replaced"),
        (state.gone, "gone"),
    ];
    let words: Vec<_> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    let words = if words.is_empty() { "-".to_owned() } else { words.join(",") };
    format!("{} {words}", state.length)
}
