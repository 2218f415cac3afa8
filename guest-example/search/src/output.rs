//! Lines, progress and what `--step` waits for.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::scan::{Line, Sink};

/// Prints what is found in one file after the other.
pub(crate) struct Printer<'a> {
    options: &'a Options,
    out: BufWriter<Stdout>,
    /// Whether someone is watching the lines come in.
    live: bool,
    progress: bool,
    step: bool,
}

impl<'a> Printer<'a> {
    pub(crate) fn new(options: &'a Options) -> Printer<'a> {
        let out = io::stdout();
        Printer {
            options,
            live: out.is_terminal(),
            out: BufWriter::with_capacity(1 << 16, out),
            progress: !options.quiet && !options.step && io::stderr().is_terminal(),
            step: options.step,
        }
    }

    /// What goes to stdout beside lines.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// To be called at the end: what is still buffered has to come out, and may not.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A sink for one file.
    pub(crate) fn file<'b>(&'b mut self, name: &'b str, size: u64) -> FileOutput<'a, 'b> {
        let now = Instant::now();
        FileOutput { printer: self, name, size, started: now, drawn: now, visible: false }
    }
}

/// Prints what is found in one file.
pub(crate) struct FileOutput<'a, 'b> {
    printer: &'b mut Printer<'a>,
    name: &'b str,
    size: u64,
    started: Instant,
    drawn: Instant,
    /// Whether there is a progress line on the terminal.
    visible: bool,
}

impl FileOutput<'_, '_> {
    fn draw(&mut self, scanned: u64) {
        let now = Instant::now();
        if !self.printer.progress || now - self.drawn < Duration::from_millis(100) {
            return;
        }
        self.drawn = now;
        self.visible = true;
        let speed = scanned as f64 / 1e6 / (now - self.started).as_secs_f64();
        let percent = scanned as f64 * 100.0 / self.size as f64;
        // Nobody to tell if even stderr fails.
        let _ = write!(io::stderr(), "\r\x1b[K{}: {percent:.0} %, {speed:.0} MB/s", self.name);
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.visible) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn wait(&mut self, scanned: u64) {
        eprintln!("search: {}: {scanned} of {} bytes read; Enter goes on", self.name, self.size);
        // Without a stdin there is nothing to wait for.
        if !matches!(io::stdin().read_line(&mut String::new()), Ok(1..)) {
            self.printer.step = false;
        }
    }
}

impl Drop for FileOutput<'_, '_> {
    fn drop(&mut self) {
        self.erase();
    }
}

impl Sink for FileOutput<'_, '_> {
    type Error = io::Error;

    fn line(&mut self, line: Line) -> io::Result<()> {
        if self.printer.options.count {
            return Ok(());
        }
        if self.printer.live {
            self.erase();
        }
        let out = &mut self.printer.out;
        write!(out, "{}:", self.name)?;
        if self.printer.options.query.numbers {
            write!(out, "{}:", line.number)?;
        }
        writeln!(out, "{}:{}", line.offset, readable(&line))
    }

    fn window(&mut self, scanned: u64) -> io::Result<()> {
        let last = scanned == self.size;
        if self.printer.live || (self.printer.step && !last) {
            self.printer.out.flush()?;
        }
        if !last {
            self.draw(scanned);
            if self.printer.step {
                self.wait(scanned);
            }
        }
        Ok(())
    }
}

/// A line as it can be shown on a terminal, whatever bytes it has.
fn readable(line: &Line) -> String {
    let mut text = String::with_capacity(line.text.len() + 8);
    if line.cut_before {
        text.push('…');
    }
    for chunk in line.text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\t' => text.push('\t'),
                '\0'..'\x20' | '\x7F' => _ = write!(text, "\\x{:02x}", character as u32),
                // What only steers the terminal, or the direction of the text.
                '\u{80}'..'\u{A0}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                    _ = write!(text, "\\u{{{:x}}}", character as u32);
                }
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    if line.cut_after {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_bytes_become_readable() {
        let line = |text: &[u8]| Line {
            offset: 0,
            number: 0,
            text: text.to_vec(),
            cut_before: false,
            cut_after: true,
        };
        assert_eq!(readable(&line(b"a\tb")), "a\tb…");
        assert_eq!(readable(&line(b"\x1b[2J\0\xff\xe2\x82")), "\\x1b[2J\\x00\\xff\\xe2\\x82…");
        assert_eq!(readable(&line("é€𝄞\u{9b}\u{202e}".as_bytes())), "é€𝄞\\u{9b}\\u{202e}…");
        assert_eq!(readable(&Line { cut_before: true, cut_after: false, ..line(b"x") }), "…x");
    }
}
