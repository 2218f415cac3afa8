//! The call of a guest that was refused first, for whoever asks why a guest failed.

use crate::error::{Error, ErrorKind};
use std::fmt::{self, Write as _};

/// How much is kept of a guest's path, and shown of a text: a guest chooses how long its path is.
const KEPT: usize = 256;

/// A call of a guest that was refused. See [`Usage::first_refusal`](super::Usage::first_refusal).
///
/// It is shown in one line without control characters, such as ``open of `/data/x`: the grant is
/// read-only``, whatever the guest has asked for. As the log, it names what the embedder set up, and is not
/// for guests.
#[derive(Clone, Debug)]
pub struct Refusal {
    call: &'static str,
    path: Box<str>,
    /// Whether the path went on.
    cut: bool,
    error: Error,
}

impl Refusal {
    pub(crate) fn new(call: &'static str, path: &str, error: &Error) -> Refusal {
        let (kept, cut) = beginning(path);
        Refusal { call, path: kept.into(), cut, error: error.clone() }
    }

    /// The call's name in the interface, such as `pread`.
    pub fn call(&self) -> &str {
        self.call
    }

    /// The file's path as the guest has it, or its beginning. It may hold any characters.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the guest was told.
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of `", self.call)?;
        escape(&self.path, self.cut, f)?;
        f.write_str("`: ")?;
        let error = self.error.to_string();
        let (reason, cut) = beginning(self.error.reason().unwrap_or(&error));
        escape(reason, cut, f)
    }
}

/// So much of a text as is kept and shown, and whether it goes on.
fn beginning(text: &str) -> (&str, bool) {
    let kept = &text[..text.floor_char_boundary(KEPT)];
    (kept, kept.len() < text.len())
}

/// Writes a text, which may have been cut, so that it does nothing to a terminal but to be shown there.
fn escape(text: &str, cut: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\'' | '"' => f.write_char(c)?,
            c => write!(f, "{}", c.escape_debug())?,
        }
    }
    if cut { f.write_str("...") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_a_line_whatever_the_path() {
        let of = |path: &str, error: Error| Refusal::new("open", path, &error).to_string();
        let limit =
            Error::because(ErrorKind::LimitExceeded, "mappings is 1, 1 in use, asked for 1");
        assert_eq!(of("/data/x", limit), "open of `/data/x`: mappings is 1, 1 in use, asked for 1");
        let odd = Error::because(ErrorKind::Eacces, "no grant covers \x1b[2J");
        assert_eq!(
            of("/\u{1b}]0;it's\n\u{202e}", odd),
            r"open of `/\u{1b}]0;it's\n\u{202e}`: no grant covers \u{1b}[2J"
        );
        let kept = "\u{e4}".repeat(KEPT / 2);
        let whole = of(&kept, ErrorKind::Closed.into());
        assert_eq!(whole, format!("open of `{kept}`: the mapping is closed"));
        let long = of(&"\u{e4}".repeat(1 << 20), ErrorKind::Closed.into());
        assert_eq!(long, format!("open of `{kept}...`: the mapping is closed"));
        let reason = Error::because(ErrorKind::Eacces, "x".repeat(KEPT + 1));
        assert_eq!(of("/", reason), format!("open of `/`: {}...", "x".repeat(KEPT)));
    }
}
