//! The search itself: windows of a file in, lines out.
//!
//! A window is `Query::window` new bytes and, in front of them, the last bytes of the window
//! before: one fewer than the pattern is long, so that a match over the border is seen whole and
//! none is seen twice. Lines need no buffer: only where the current one begins is remembered, and
//! what is shown of it is read again, which costs a mapping next to nothing.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};
use std::io;

/// How many bytes of a line are shown at most.
const SHOWN: usize = 512;

/// The unit in which a cut file goes missing. Where pages are larger, finding the last one that
/// is left takes a few more reads, that is all.
const PAGE: u64 = 4096;

/// What to look for, and how.
pub(crate) struct Query {
    finder: Finder<'static>,
    ignore_case: bool,
    /// New bytes to a window, at least 1.
    pub(crate) window: usize,
    /// Stop after so many matching lines.
    pub(crate) max_lines: u64,
    /// Whether to count lines. Without, `Line::number` is 1.
    pub(crate) numbers: bool,
}

impl Query {
    /// A query for `pattern`, which is not empty and has no line break in it.
    pub(crate) fn new(pattern: &[u8], ignore_case: bool) -> Result<Query, &'static str> {
        if pattern.is_empty() {
            return Err("the pattern is empty: it would match everywhere");
        }
        if pattern.contains(&b'\n') {
            return Err("the pattern contains a line break: matches are looked for line by line");
        }
        let pattern = if ignore_case { pattern.to_ascii_lowercase() } else { pattern.to_vec() };
        let finder = Finder::new(&pattern).into_owned();
        Ok(Query { finder, ignore_case, window: 1 << 20, max_lines: u64::MAX, numbers: false })
    }

    fn length(&self) -> u64 {
        self.finder.needle().len() as u64
    }
}

/// A line with a match in it.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Where the line starts.
    pub(crate) offset: u64,
    /// Its number, from 1.
    pub(crate) number: u64,
    /// What is shown of it, without its line break.
    pub(crate) text: Vec<u8>,
    /// Whether something of the line comes before `text`.
    pub(crate) cut_before: bool,
    /// Whether something of the line comes after `text`.
    pub(crate) cut_after: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Matches that don't overlap.
    pub(crate) matches: u64,
    /// Lines with at least one of them.
    pub(crate) lines: u64,
    /// Everything below this offset was searched.
    pub(crate) scanned: u64,
}

/// Where the findings go. An error ends the search.
pub(crate) trait Sink {
    /// A line that matches. Each comes once, in order.
    fn line(&mut self, line: Line) -> io::Result<()>;

    /// Everything below `scanned` has been searched.
    fn window(&mut self, scanned: u64) -> io::Result<()>;
}

/// A file, or what stands for one.
pub(crate) trait Source {
    fn size(&self) -> u64;

    /// Fills the buffer from an offset on. Where the file was cut meanwhile, that is an
    /// [`io::ErrorKind::UnexpectedEof`].
    fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

/// Why a search ended early. Where the file was cut it is an error of kind `UnexpectedEof`, and
/// from `Tally::scanned` on there is nothing left to read.
#[derive(Debug)]
pub(crate) enum Stop {
    Read(io::Error),
    Write(io::Error),
}

/// Searches a file. What was found until then is in the tally however it ends.
pub(crate) fn scan(
    file: &dyn Source,
    query: &Query,
    sink: &mut impl Sink,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let size = file.size();
    let mut at = Place { file, size, base: 0, window: Vec::new(), upto: 0, line: 0, number: 1 };
    let mut folded = Vec::new();
    // Where the next match may begin, and where the last matching line does.
    let (mut free, mut last_line) = (0, None);
    // New bytes to the next window: fewer while feeling for the end of a file that was cut.
    let mut span = query.window as u64;

    while tally.scanned < size && tally.lines < query.max_lines {
        at.base = tally.scanned.saturating_sub(query.length() - 1).max(free);
        let end = size.min(tally.scanned.saturating_add(span));
        at.window.resize((end - at.base) as usize, 0);
        match file.read(at.base, &mut at.window) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                span = shorter(tally.scanned, end).ok_or(Stop::Read(error))?;
                continue;
            }
            Err(error) => return Err(Stop::Read(error)),
        }
        span = span.saturating_mul(2).min(query.window as u64);
        folded.clear();
        if query.ignore_case {
            folded.extend(at.window.to_ascii_lowercase());
        }
        let mut from = 0;
        loop {
            let searched = if query.ignore_case { &folded } else { &at.window };
            let Some(found) = query.finder.find(&searched[from..]) else { break };
            from += found + query.length() as usize;
            free = at.base + from as u64;
            let start = free - query.length();
            at.advance(start, query.numbers);
            // A file that changes under our eyes may have had a line break in this match when the
            // window before was read.
            let line = at.line.min(start);
            if last_line != Some(line) {
                if tally.lines == query.max_lines {
                    break;
                }
                sink.line(at.show(line, start, free)).map_err(Stop::Write)?;
                tally.lines += 1;
                last_line = Some(line);
            }
            tally.matches += 1;
        }
        at.advance(end, query.numbers);
        tally.scanned = end;
        sink.window(end).map_err(Stop::Write)?;
    }
    Ok(())
}

/// How many bytes to try from `from` on when those up to `end` can't be read, so that the try ends
/// at a page's border; or `None` if it was no more than one page.
fn shorter(from: u64, end: u64) -> Option<u64> {
    let first = (from / PAGE + 1) * PAGE;
    let half = (from + (end - from) / 2) / PAGE * PAGE;
    (end > first).then(|| half.max(first) - from)
}

/// The window, and the line that the search is in.
struct Place<'a> {
    file: &'a dyn Source,
    size: u64,
    /// The window, and its offset.
    window: Vec<u8>,
    base: u64,
    /// Everything below is accounted for in `line`, where the line begins, and `number`.
    upto: u64,
    line: u64,
    number: u64,
}

impl Place<'_> {
    /// Takes note of the line breaks up to `to`.
    fn advance(&mut self, to: u64, numbers: bool) {
        if to <= self.upto {
            return;
        }
        let passed = &self.window[(self.upto - self.base) as usize..(to - self.base) as usize];
        if let Some(last) = memrchr(b'\n', passed) {
            self.line = self.upto + last as u64 + 1;
            if numbers {
                self.number += memchr_iter(b'\n', &passed[..=last]).count() as u64;
            }
        }
        self.upto = to;
    }

    /// What is shown of the line at `line`, which has a match from `start` to `end`: all of it, or
    /// a part that begins a little before the match.
    fn show(&self, line: u64, start: u64, end: u64) -> Line {
        let mut from = line;
        if end - line > SHOWN as u64 {
            let lead = (SHOWN / 4).min(SHOWN.saturating_sub((end - start) as usize));
            from = line.max(start.saturating_sub(lead as u64));
        }
        // Two more than are shown, so that a line break right behind them is seen.
        let mut text = vec![0; (self.size - from).min(SHOWN as u64 + 2) as usize];
        if self.file.read(from, &mut text).is_err() {
            // The file was cut a moment ago: show what there is of it.
            from = from.max(self.base);
            text = self.window[(from - self.base) as usize..].to_vec();
        }
        let mut cut_after = from + (text.len() as u64) < self.size;
        if let Some(end) = memchr(b'\n', &text) {
            let line = &text[..end];
            text.truncate(line.strip_suffix(b"\r").unwrap_or(line).len());
            cut_after = false;
        }
        cut_after |= text.len() > SHOWN;
        text.truncate(SHOWN);
        Line { offset: line, number: self.number, text, cut_before: from > line, cut_after }
    }
}

#[cfg(test)]
mod tests;
