//! A line on the terminal that says how far a program is, if someone is there to read it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The line, on standard error. Dropping it erases it.
#[derive(Debug)]
pub struct Progress {
    /// When it was drawn last, if it is wanted at all.
    drawn: Option<Instant>,
    visible: bool,
}

impl Progress {
    /// One that is drawn where standard error is a terminal, unless `quiet`.
    pub fn new(quiet: bool) -> Progress {
        let wanted = !quiet && io::stderr().is_terminal();
        Progress { drawn: wanted.then(Instant::now), visible: false }
    }

    /// Draws it, unless it has just been drawn.
    pub fn draw(&mut self, line: impl FnOnce() -> String) {
        let Some(drawn) = &mut self.drawn else { return };
        if drawn.elapsed() < Duration::from_millis(100) {
            return;
        }
        *drawn = Instant::now();
        self.visible = true;
        // Nobody to tell if even stderr fails.
        let _ = write!(io::stderr(), "\r\x1b[K{}", line());
    }

    /// Erases it, so that something else can be said.
    pub fn erase(&mut self) {
        if std::mem::take(&mut self.visible) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.erase();
    }
}
