//! The commands for what has become of a file.

pub(crate) use crate::bindings::iommap::mmap::changes::FileState;
use crate::bindings::iommap::mmap::changes::{
    Differences, Outcome, changed, file_length, read_strict, read_up_to, remap, wait_for_change,
};
use crate::bindings::iommap::mmap::types::{ErrorCode, Mapping};
use crate::locks::time;
use crate::{Answer, State};
use iommap_commands::{Bad, Words};

type Answered = Result<Result<Answer, ErrorCode>, Bad>;

/// Those that do not depend on the file system's clock.
const DIFFERENCES: [(&str, Differences); 4] = [
    ("shorter", Differences::SHORTER),
    ("longer", Differences::LONGER),
    ("replaced", Differences::REPLACED),
    ("gone", Differences::GONE),
];

pub(crate) fn run(verb: &str, mapping: &Mapping, mut words: Words) -> Answered {
    if let "read-up-to" | "read-strict" = verb {
        let (offset, length) = (words.number("an offset")?, words.number("a length")?);
        words.end()?;
        let read = if verb == "read-strict" { read_strict } else { read_up_to };
        return Ok(read(mapping, offset, length).map(Answer::Bytes));
    }
    words.end()?;
    Ok(match verb {
        "file-length" => file_length(mapping).map(Answer::Number),
        "modified" => changed(mapping).map(|state| {
            let modified = state.differences.contains(Differences::MODIFIED);
            Answer::Word(if modified { "true" } else { "false" })
        }),
        _ => changed(mapping).map(|state| said(&state)),
    })
}

impl State {
    /// The commands that leave something behind, or begin with what was left.
    pub(crate) fn follow(&mut self, verb: &str, mut words: Words) -> Answered {
        let name = words.text("a name")?;
        let mapping = self.mappings.get(&name).ok_or_else(|| crate::unknown(&name))?;
        if verb == "remap" {
            let new = words.text("a name")?;
            words.end()?;
            if self.mappings.contains_key(&new) {
                return Err(Bad("this name is in use".into()));
            }
            let mapping = remap(mapping);
            return Ok(mapping.map(|mapping| {
                self.mappings.insert(new, mapping);
                Answer::Nothing
            }));
        }
        if verb == "know" {
            words.end()?;
            let state = changed(mapping);
            return Ok(state.map(|state| {
                self.known.insert(name, state);
                Answer::Nothing
            }));
        }
        let mut time = time(&mut words)?;
        let known =
            *self.known.get(&name).ok_or_else(|| Bad(format!("nothing is known of {name:?}")))?;
        Ok(loop {
            match wait_for_change(mapping, known, time) {
                Ok(Outcome::Again(left)) => time = left,
                Ok(Outcome::Same) => break Ok(Answer::Word("same")),
                Ok(Outcome::Changed(state)) => break Ok(said(&state)),
                Err(error) => break Err(error),
            }
        })
    }
}

fn said(state: &FileState) -> Answer {
    let there = DIFFERENCES.iter().filter(|(_, one)| state.differences.contains(*one));
    let words: Vec<&str> = there.map(|(word, _)| *word).collect();
    let words = if words.is_empty() { "-".to_owned() } else { words.join(",") };
    Answer::Text(format!("{} {words}", state.length))
}
