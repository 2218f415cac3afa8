//! How a component ended, and which exit code that is.

use crate::stdout::ReaderGone;
use crate::terminal;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Nothing was run. It is what other programs end with too if they are not used as they should.
pub(crate) const SETUP_FAILED: u8 = 2;

/// As of timeout(1).
const TIMED_OUT: u8 = 124;

/// As of wasmtime: 128 + SIGABRT.
const TRAPPED: u8 = 134;

/// What a shell makes of a program that SIGPIPE ended.
const READER_GONE: u8 = 141;

/// How many functions of the component are named, when it trapped.
const FRAMES: usize = 12;

/// How a component ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// By itself, with this exit code.
    Exit(u8),
    /// Because nobody reads its output any more.
    ReaderGone,
    /// Because its time was over.
    TimedOut(Duration),
    /// Not at all: it could not be started.
    NotStarted(wasmtime::Error),
    /// It trapped, or the host refused to go on with it.
    Trapped(wasmtime::Error),
}

impl From<wasmtime::Error> for Outcome {
    fn from(error: wasmtime::Error) -> Outcome {
        if let Some(I32Exit(code)) = error.downcast_ref() {
            // As the system would cut it, but that no failure becomes a success.
            return Outcome::Exit(if *code == 0 { 0 } else { (*code as u8).max(1) });
        }
        if error.is::<ReaderGone>() { Outcome::ReaderGone } else { Outcome::Trapped(error) }
    }
}

impl Outcome {
    /// Of a component that could not be instantiated: unless it has code of its own that ran
    /// then, nothing of it did.
    pub(crate) fn not_started(error: wasmtime::Error) -> Outcome {
        match error.into() {
            Outcome::Trapped(error) if !error.is::<Trap>() && !error.is::<WasmBacktrace>() => {
                Outcome::NotStarted(error)
            }
            other => other,
        }
    }

    /// Says what there is to say.
    pub(crate) fn explain(&self, component: &Path) {
        let shown = component.display();
        match self {
            Outcome::Exit(_) | Outcome::ReaderGone => {}
            Outcome::TimedOut(limit) => terminal::say(format_args!(
                "{shown} was ended after {} s: --timeout gives it more",
                limit.as_secs_f64()
            )),
            Outcome::NotStarted(error) => terminal::say(format_args!(
                "{shown} cannot be started: {error:#}. If it is about memory, a higher \
                 --max-memory may do, or none"
            )),
            Outcome::Trapped(error) => terminal::say(trap(&shown.to_string(), error)),
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Outcome::Exit(code) => *code,
            Outcome::ReaderGone => READER_GONE,
            Outcome::TimedOut(_) => TIMED_OUT,
            Outcome::NotStarted(_) => SETUP_FAILED,
            Outcome::Trapped(_) => TRAPPED,
        }
    }
}

fn trap(component: &str, error: &wasmtime::Error) -> String {
    let cause = error.root_cause().to_string();
    let mut text = format!("{component} trapped: {}", cause.trim_start_matches("wasm trap: "));
    if let Some(advice) = error.downcast_ref().and_then(advice) {
        _ = write!(text, "\n{advice}");
    }
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    if !frames.is_empty() {
        text.push_str("\nIt was in");
    }
    for frame in frames.iter().take(FRAMES) {
        let function = frame.func_name().map_or_else(
            || format!("function {} of {}", frame.func_index(), module(frame)),
            |name| name.to_owned(),
        );
        _ = write!(text, "\n  {function}");
    }
    if let Some(more @ 1..) = frames.len().checked_sub(FRAMES) {
        _ = write!(text, "\n  and {more} more");
    }
    text
}

fn module(frame: &wasmtime::FrameInfo) -> &str {
    frame.module().name().unwrap_or("the component")
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

    fn exit_code(error: impl Into<wasmtime::Error>) -> u8 {
        Outcome::from(error.into()).exit_code()
    }

    #[test]
    fn a_failure_never_becomes_a_success() {
        for (given, code) in [(0, 0), (1, 1), (255, 255), (256, 1), (-1, 255), (i32::MIN, 1)] {
            assert_eq!(exit_code(I32Exit(given)), code, "{given}");
        }
        assert_eq!(exit_code(Trap::StackOverflow), TRAPPED);
        assert_eq!(exit_code(ReaderGone), READER_GONE);
    }

    #[test]
    fn a_trap_is_told_without_its_technical_names() {
        let error = wasmtime::Error::from(Trap::UnreachableCodeReached).context("while running");
        let text = trap("a.wasm", &error);
        assert!(text.starts_with("a.wasm trapped: wasm `unreachable` instruction"), "{text}");
        assert!(text.contains("gave up by itself"), "{text}");
    }
}
