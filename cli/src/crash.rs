//! What is said of a component that trapped: why, where, and what to do.

use crate::lines::Lines;
use std::fmt::Write as _;
use std::ops::Range;
use wasmtime::{FrameInfo, Trap, WasmBacktrace};

/// How many functions of the component are named.
const FRAMES: usize = 12;

/// What stands between a mistake and the trap that it ends with: the parts of the languages that
/// make an end. Nobody looks for a mistake there.
const MACHINERY: [&str; 15] = [
    "core::panicking::",
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::result::unwrap_failed",
    "core::slice::index::",
    "std::io::stdio::",
    "std::panicking::",
    "std::process::abort",
    "std::sys::",
    "std::alloc::",
    "alloc::alloc::handle_alloc_error",
    "__rustc::",
    "__rust_",
    "rust_begin_unwind",
    "abort",
];

/// What stands between the start of a program and its `main`.
const START: &str = "std::sys::backtrace::__rust_begin_short_backtrace";
const CALL: &str = "core::ops::function::FnOnce::call_once";

/// What a component's trap says to whoever runs it. `verbose` leaves nothing out, and has lines of the
/// source if the `binary` knows them. Not otherwise: debug information can be made that takes any
/// time and memory to read, and who says `-v` can also say no.
pub(crate) fn report(
    component: &str,
    binary: &[u8],
    error: &wasmtime::Error,
    verbose: bool,
) -> String {
    let cause = error.root_cause().to_string();
    let mut text = format!("{component} trapped: {}", cause.trim_start_matches("wasm trap: "));
    if let Some(advice) = error.downcast_ref().and_then(advice) {
        _ = write!(text, "\n{advice}");
    }
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let functions: Vec<String> = frames.iter().map(|frame| function(frame, verbose)).collect();
    let shown = if verbose { 0..functions.len() } else { of_the_program(&functions) };
    if !shown.is_empty() {
        text.push_str("\nIt was in");
    }
    let lines = if verbose { Lines::of(binary) } else { Lines::default() };
    let most = if verbose { usize::MAX } else { FRAMES };
    for (function, frame) in functions[shown.clone()].iter().zip(&frames[shown.clone()]).take(most)
    {
        _ = write!(text, "\n  {function}");
        if let Some(place) = frame.module_offset().and_then(|offset| lines.at(offset)) {
            _ = write!(text, "\n    at {place}");
        }
    }
    match (shown.len().saturating_sub(most), functions.len() - shown.len()) {
        (0, 0) => {}
        (0, _) => text.push_str("\n-v shows them all, and lines of the source"),
        (more, _) => _ = write!(text, "\n  and {more} more, which -v shows"),
    }
    text
}

/// Which functions are the program's own: from the one on that made the mistake, up to `main`.
fn of_the_program(functions: &[String]) -> Range<usize> {
    let first = functions.iter().position(|function| !is_machinery(function)).unwrap_or(0);
    let Some(start) = functions.iter().position(|function| function.starts_with(START)) else {
        return first..functions.len();
    };
    // It calls `main` through a pointer.
    let main = functions[..start].iter().rposition(|function| !function.starts_with(CALL));
    first..main.map_or(start, |main| main + 1).max(first)
}

fn is_machinery(function: &str) -> bool {
    let bare = function.trim_start_matches('<');
    MACHINERY.iter().any(|machinery| bare.starts_with(machinery))
        // What `v[i]` calls.
        || function.contains(" as core::slice::index::SliceIndex<")
        || function.contains(" as core::ops::index::Index")
}

fn function(frame: &FrameInfo, verbose: bool) -> String {
    match frame.func_name() {
        Some(name) => readable(name, verbose),
        None => {
            let module = frame.module().name().unwrap_or("the component");
            format!("function {} of {module}", frame.func_index())
        }
    }
}

/// A name as it stands in the source; with its hash if that is wanted.
fn readable(name: &str, verbose: bool) -> String {
    let name = rustc_demangle::demangle(name);
    if verbose { format!("{name}") } else { format!("{name:#}") }
}

/// What to do about a trap, where there is something to say.
fn advice(trap: &Trap) -> Option<&'static str> {
    match trap {
        Trap::UnreachableCodeReached => Some(
            "It gave up by itself, as with a panic or an abort. What it printed before may say why",
        ),
        Trap::StackOverflow => {
            Some("Its functions called each other too deeply, most likely without an end")
        }
        Trap::MemoryOutOfBounds | Trap::TableOutOfBounds | Trap::IndirectCallToNull => {
            Some("That is a bug of the component: report it to whoever wrote it")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_told_without_its_technical_names() {
        let error = wasmtime::Error::from(Trap::UnreachableCodeReached).context("while running");
        let text = report("a.wasm", b"", &error, false);
        assert!(text.starts_with("a.wasm trapped: wasm `unreachable` instruction"), "{text}");
        assert!(text.contains("gave up by itself"), "{text}");
    }

    #[test]
    fn names_are_as_in_the_source() {
        let mangled = "_ZN6search4main17h0123456789abcdefE";
        assert_eq!(readable(mangled, false), "search::main");
        assert_eq!(readable(mangled, true), "search::main::h0123456789abcdef");
        assert_eq!(readable("_RNvCs1_6search4main", false), "search::main");
        assert_eq!(readable("main", false), "main");
    }

    #[test]
    fn the_machinery_of_a_panic_is_left_out_and_so_is_that_of_the_start() {
        let functions = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let all = functions(&[
            "abort",
            "std::process::abort",
            "__rustc::rust_panic",
            "std::panicking::panic_with_hook",
            "core::panicking::panic_bounds_check",
            "<usize as core::slice::index::SliceIndex<[T]>>::index",
            "<alloc::vec::Vec<T,A> as core::ops::index::Index<I>>::index",
            "search::look",
            "search::main",
            CALL,
            START,
            "std::rt::lang_start",
            "_start",
        ]);
        assert_eq!(all[of_the_program(&all)], ["search::look", "search::main"]);
        let nothing_else = functions(&["abort"]);
        assert_eq!(of_the_program(&nothing_else), 0..1);
    }
}
