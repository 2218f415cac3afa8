//! `iommap inspect`: what a component needs, and whether it is there.

use crate::args::Inspect;
use crate::engine::{self, Needs};
use crate::{provided, run, terminal};
use anyhow::Result;
use std::fmt::Write as _;

/// The exit code if `iommap run` could not run it.
const CANNOT_RUN: u8 = 1;

/// Prints what a component imports and exports, and returns the exit code.
pub(crate) fn inspect(args: &Inspect) -> Result<u8> {
    let needs = Needs { cache: !args.compile.no_cache, interrupt: false };
    let component = engine::compile(&args.component, needs)?;
    let (imports, exports) = (provided::imports(&component), provided::exports(&component));

    let mut text = format!("{}\n  imports\n", args.component.display());
    for import in &imports {
        let mark = if import.is_provided() { "provided" } else { "MISSING " };
        _ = write!(text, "    {mark}  {}", import.name);
        if let Some(note) = import.note() {
            _ = write!(text, "  ({note})");
        }
        text.push('\n');
    }
    if imports.is_empty() {
        text.push_str("    none\n");
    }
    text.push_str("  exports\n");
    for name in &exports {
        _ = writeln!(text, "    {name}");
    }
    let missing = imports.iter().filter(|import| !import.is_provided()).count();
    let (verdict, code) = match missing {
        0 => match run::linker(component.engine()).and_then(|l| l.instantiate_pre(&component)) {
            // The names agree, and what is behind them does not.
            Err(error) => (format!("this host cannot run it: {error:#}"), CANNOT_RUN),
            Ok(_) if provided::can_start(&exports) => ("this host can run it".to_owned(), 0),
            Ok(_) => {
                ("all it needs is provided, but it exports nothing to run".to_owned(), CANNOT_RUN)
            }
        },
        missing => {
            (format!("this host cannot run it: it lacks {missing} of these imports"), CANNOT_RUN)
        }
    };
    _ = writeln!(text, "  {verdict}");
    terminal::print(text);
    Ok(code)
}
