//! Files and lines of a component's source, from the debug information that its modules have.
//!
//! Lines alone are read, and not which functions were inlined: that is a tree as deep as whoever
//! made the component likes.

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{Parser, Payload};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// What a component says of its source.
#[derive(Default)]
pub(crate) struct Lines<'a>(Vec<Module<'a>>);

/// A module with debug information.
struct Module<'a> {
    /// Where its code is in the component.
    code: Range<usize>,
    context: Context<Bytes<'a>>,
}

/// What was found of a module so far.
#[derive(Default)]
struct Found<'a> {
    code: Range<usize>,
    sections: HashMap<&'a str, &'a [u8]>,
}

impl<'a> Lines<'a> {
    /// Those of a component's binary: none, if it is no binary or says nothing.
    pub(crate) fn of(binary: &'a [u8]) -> Lines<'a> {
        // A component has modules, and components with modules of their own.
        let (mut around, mut modules) = (Vec::<Found<'_>>::new(), Vec::new());
        for payload in Parser::new(0).parse_all(binary) {
            let Ok(payload) = payload else { break };
            match payload {
                Payload::Version { .. } => around.push(Found::default()),
                Payload::End(_) => modules.extend(around.pop().and_then(Found::module)),
                Payload::CodeSectionStart { range, .. } => {
                    if let Some(found) = around.last_mut() {
                        found.code = range;
                    }
                }
                Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                    if let Some(found) = around.last_mut() {
                        found.sections.insert(section.name(), section.data());
                    }
                }
                _ => {}
            }
        }
        Lines(modules)
    }

    /// The file and the line of an instruction, by its offset in the component.
    pub(crate) fn at(&self, offset: usize) -> Option<String> {
        let module = self.0.iter().find(|module| module.code.contains(&offset))?;
        // Addresses are counted from where the code begins.
        let address = (offset - module.code.start) as u64;
        let place = module.context.find_location(address).ok()??;
        let file = place.file?;
        Some(match place.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }
}

impl<'a> Found<'a> {
    fn module(self) -> Option<Module<'a>> {
        let section = |name| self.sections.get(name).copied().unwrap_or_default();
        let dwarf = Dwarf::load(|id| Ok::<_, Error>(Bytes::new(section(id.name()), LittleEndian)));
        let context = Context::from_dwarf(dwarf.ok()?).ok()?;
        (!self.sections.is_empty()).then_some(Module { code: self.code, context })
    }
}
