//! What was done and what came back, checked line by line.

use std::process::ExitCode;

use crate::bindings::iommap::mmap::types::ErrorCode;

/// An answer was not the expected one: nothing that follows makes sense.
pub(crate) struct Broken;

/// Prints each step and remembers whether one failed.
#[derive(Default)]
pub(crate) struct Transcript {
    steps: u32,
    failed: bool,
}

impl Transcript {
    pub(crate) fn title(&mut self, title: &str) {
        println!("\n{title}");
    }

    pub(crate) fn note(&mut self, note: &str) {
        println!("\n{note}");
    }

    /// A step that has to succeed.
    pub(crate) fn ok<T, E: Name>(&mut self, what: &str, result: Result<T, E>) -> Result<T, Broken> {
        match result {
            Ok(value) => {
                self.right(what, "ok");
                Ok(value)
            }
            Err(error) => Err(self.wrong(what, &error.name(), "ok")),
        }
    }

    /// A step that has to fail, in one of these ways.
    pub(crate) fn err<T>(
        &mut self,
        what: &str,
        result: Result<T, ErrorCode>,
        expected: &[ErrorCode],
    ) -> Result<(), Broken> {
        let answer = result.map_or_else(|error| error.name(), |_| "ok".into());
        let expected: Vec<String> = expected.iter().map(Name::name).collect();
        if expected.contains(&answer) {
            self.right(what, &answer);
            return Ok(());
        }
        Err(self.wrong(what, &answer, &expected.join(" or ")))
    }

    /// A value that has to be this one.
    pub(crate) fn same<T: Shown + PartialEq + ?Sized>(
        &mut self,
        what: &str,
        value: &T,
        expected: &T,
    ) -> Result<(), Broken> {
        if value == expected {
            self.right(what, &value.shown());
            return Ok(());
        }
        Err(self.wrong(what, &value.shown(), &expected.shown()))
    }

    /// The last line, and the exit status.
    pub(crate) fn finish(self) -> ExitCode {
        if self.failed {
            return ExitCode::FAILURE;
        }
        println!("\nAll {} answers were as expected.", self.steps);
        ExitCode::SUCCESS
    }

    fn right(&mut self, what: &str, answer: &str) {
        self.steps += 1;
        println!("  {what:<64} -> {answer}");
    }

    fn wrong(&mut self, what: &str, answer: &str, expected: &str) -> Broken {
        self.failed = true;
        println!("  {what:<64} -> {answer}, but expected {expected}");
        Broken
    }
}

/// What an error is called.
pub(crate) trait Name {
    fn name(&self) -> String;
}

impl Name for ErrorCode {
    /// The name it has in `iommap.wit`.
    fn name(&self) -> String {
        match self {
            ErrorCode::Badarg => "badarg",
            ErrorCode::Enomem => "enomem",
            ErrorCode::Enoent => "enoent",
            ErrorCode::Eacces => "eacces",
            ErrorCode::Closed => "closed",
            ErrorCode::OutOfBounds => "out-of-bounds",
            ErrorCode::Sigbus => "sigbus",
            ErrorCode::Eexist => "eexist",
            ErrorCode::Enotreg => "enotreg",
            ErrorCode::Enospc => "enospc",
            ErrorCode::Efbig => "efbig",
            ErrorCode::Emfile => "emfile",
            ErrorCode::LimitExceeded => "limit-exceeded",
            ErrorCode::Enotsup => "enotsup",
            ErrorCode::Eio => "eio",
            ErrorCode::Other(None) => "other",
            ErrorCode::Other(Some(text)) => return format!("other: {text}"),
        }
        .into()
    }
}

impl Name for std::io::Error {
    fn name(&self) -> String {
        self.to_string()
    }
}

/// How a value looks in the transcript.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for [u8] {
    fn shown(&self) -> String {
        format!("\"{}\"", self.escape_ascii())
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}
