//! What is printed of a search while it goes on.

use crate::options::Options;
use crate::scan::{Line, Sink};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

/// Lines on stdout, and what `--step` waits for.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
    /// Somebody watches the lines come in.
    live: bool,
    lines: bool,
    numbers: bool,
    step: bool,
    file: String,
    size: u64,
}

impl Output {
    pub(crate) fn new(options: &Options) -> Output {
        let out = io::stdout();
        Output {
            live: out.is_terminal(),
            out: BufWriter::with_capacity(1 << 16, out),
            lines: !options.count,
            numbers: options.numbers,
            step: options.step,
            file: String::new(),
            size: 0,
        }
    }

    /// What follows is of this file.
    pub(crate) fn begin(&mut self, file: &str, size: u64) {
        (self.file, self.size) = (file.into(), size);
    }

    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Sink for Output {
    fn line(&mut self, line: Line) -> io::Result<()> {
        if !self.lines {
            return Ok(());
        }
        write!(self.out, "{}:", self.file)?;
        if self.numbers {
            write!(self.out, "{}:", line.number)?;
        }
        write!(self.out, "{}:{}", line.offset, if line.cut_before { "…" } else { "" })?;
        for byte in line.text {
            // What would steer a terminal.
            match byte {
                b'\t' => self.out.write_all(b"\t")?,
                0..b' ' | 0x7f => write!(self.out, "\\x{byte:02x}")?,
                byte => self.out.write_all(&[byte])?,
            }
        }
        writeln!(self.out, "{}", if line.cut_after { "…" } else { "" })
    }

    fn window(&mut self, scanned: u64) -> io::Result<()> {
        let step = self.step && scanned < self.size;
        if self.live || step {
            self.out.flush()?;
        }
        if step {
            let (file, size) = (&self.file, self.size);
            eprintln!("search: {file}: {scanned} of {size} bytes read; Enter goes on");
            // Without a stdin there is nothing to wait for.
            self.step = matches!(io::stdin().read_line(&mut String::new()), Ok(1..));
        }
        Ok(())
    }
}
