//! How a component ended, and which exit code that is.

use crate::component::Source;
use crate::ending::Why;
use crate::engine::{is_about_memory, memory_advice};
use crate::stdout::ReaderGone;
use crate::{crash, exit, terminal};
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// How a component ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// By itself, with this exit code.
    Exit(u8),
    /// Because nobody reads its output any more.
    ReaderGone,
    /// From outside.
    Ended(Why),
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

    /// Says what there is to say, and everything if it is to be `verbose`.
    pub(crate) fn explain(&self, source: &Source, verbose: bool) {
        let shown = source.path().display();
        match self {
            Outcome::Exit(_) | Outcome::ReaderGone | Outcome::Ended(Why::Signal(_)) => {}
            Outcome::Ended(Why::TimeOver(limit)) => terminal::say(format_args!(
                "{shown} was ended after {}: --timeout gives it more",
                humantime::format_duration(*limit)
            )),
            Outcome::NotStarted(error) => terminal::say(format_args!(
                "{shown} cannot be started: {error:#}. {}",
                start_advice(error)
            )),
            Outcome::Trapped(error) => {
                let binary = source.read_again().unwrap_or_default();
                terminal::say(crash::report(&shown.to_string(), &binary, error, verbose));
            }
        }
    }

    /// Did the component do what it was to, or whoever started it decide otherwise?
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Outcome::Exit(1..) | Outcome::Trapped(_))
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Outcome::Exit(code) => *code,
            Outcome::ReaderGone => exit::READER_GONE,
            Outcome::Ended(why) => why.exit_code(),
            Outcome::NotStarted(_) => exit::SETUP_FAILED,
            Outcome::Trapped(_) => exit::TRAPPED,
        }
    }
}

fn start_advice(error: &wasmtime::Error) -> &'static str {
    if is_about_memory(error) {
        memory_advice()
    } else {
        "If it is about memory, a higher --max-memory may do, or none"
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
        assert_eq!(exit_code(Trap::StackOverflow), exit::TRAPPED);
        assert_eq!(exit_code(ReaderGone), exit::READER_GONE);
    }

    #[test]
    fn memory_that_the_system_refuses_is_no_matter_of_max_memory() {
        let refused = wasmtime::Error::from(rustix::io::Errno::NOMEM).context("mmap failed");
        assert!(start_advice(&refused).contains("ulimit -v"));
        let io = std::io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
        assert!(start_advice(&wasmtime::Error::from(io)).contains("ulimit -v"));
        let limited = wasmtime::Error::msg("memory minimum size exceeds the limit");
        assert!(start_advice(&limited).contains("--max-memory"));
    }
}
