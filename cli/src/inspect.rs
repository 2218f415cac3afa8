//! `iommap inspect`: what a component needs, and whether it is there.

use crate::args::Inspect;
use crate::provided::{self, Missing};
use crate::{engine, terminal};
use anyhow::{Result, anyhow};
use std::fmt::Write as _;

/// The exit code if `iommap run` could not run it.
const CANNOT_RUN: u8 = 1;

/// Prints what a component imports and exports, and returns the exit code.
pub(crate) fn inspect(args: &Inspect) -> Result<u8> {
    let component = engine::compile(&args.component, !args.cache.no_cache)?;
    let linker = provided::linker(component.engine()).map_err(|error| anyhow!("{error:#}"))?;
    let missing = provided::missing(&linker, &component);

    let mut text = format!("{}\n  imports\n", args.component.display());
    let imports = provided::imports(&component);
    for name in &imports {
        let lacks = missing.iter().find(|missing| missing.name == *name);
        let mark = if lacks.is_some() { "MISSING " } else { "provided" };
        _ = write!(text, "    {mark}  {name}");
        if let Some(Missing { why, .. }) = lacks.filter(|missing| !missing.why.is_empty()) {
            _ = write!(text, "  ({why})");
        }
        text.push('\n');
    }
    if imports.is_empty() {
        text.push_str("    none\n");
    }
    text.push_str("  exports\n");
    for name in provided::exports(&component) {
        _ = writeln!(text, "    {name}");
    }
    let (verdict, code) = match linker.instantiate_pre(&component) {
        Err(_) if !missing.is_empty() => {
            let count = missing.len();
            (format!("this host cannot run it: it lacks {count} of these imports"), CANNOT_RUN)
        }
        Err(error) => (format!("this host cannot run it: {error:#}"), CANNOT_RUN),
        Ok(instance) if provided::command(&instance).is_some() => {
            ("this host can run it".to_owned(), 0)
        }
        Ok(_) => ("all it needs is provided, but it exports nothing to run".to_owned(), CANNOT_RUN),
    };
    _ = writeln!(text, "  {verdict}");
    terminal::print(text)?;
    Ok(code)
}
