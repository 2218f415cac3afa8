//! The search itself: windows of a file in, lines out. Knows nothing of wasm, so that it can be
//! tested anywhere.
//!
//! A window is `Query::window` new bytes and, in front of them, the last bytes of the window
//! before: one fewer than the pattern is long, so that a match over the border is seen whole and
//! none is seen twice. Lines need no buffer: only where the current one begins is remembered, and
//! what is shown of it is read again, which costs a mapping next to nothing.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

/// The unit in which a cut file goes missing. Where pages are larger, finding the last one that
/// is left takes a few more reads, that is all.
const PAGE: u64 = 4096;

/// Why a read failed.
#[derive(Debug, PartialEq)]
pub(crate) enum ReadError<E> {
    /// The file no longer reaches that far.
    Gone,
    /// Anything else.
    Other(E),
}

/// Bytes at offsets.
pub(crate) trait Source {
    /// What can go wrong, apart from the file being cut.
    type Error;

    /// Fills `bytes` from `offset` on. Is only asked for bytes below the size that [`scan`] was
    /// given.
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ReadError<Self::Error>>;
}

/// Where the findings go. An error ends the search.
pub(crate) trait Sink {
    /// What can go wrong.
    type Error;

    /// A line that matches. Each comes once, in order.
    fn line(&mut self, line: Line) -> Result<(), Self::Error>;

    /// Everything below `scanned` has been searched.
    fn window(&mut self, scanned: u64) -> Result<(), Self::Error>;
}

/// What to look for, and how.
pub(crate) struct Query {
    pattern: Vec<u8>,
    finder: Finder<'static>,
    ignore_case: bool,
    /// New bytes to a window, at least 1.
    pub(crate) window: usize,
    /// Stop after so many matching lines.
    pub(crate) max_lines: u64,
    /// How many bytes of a line to show at most, at least 1. With 0, `Line::text` stays empty and
    /// nothing is read for it.
    pub(crate) shown: usize,
    /// Whether to count lines. Without, `Line::number` is 0.
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
        let mut pattern = pattern.to_vec();
        if ignore_case {
            pattern.make_ascii_lowercase();
        }
        let finder = Finder::new(&pattern).into_owned();
        Ok(Query {
            pattern,
            finder,
            ignore_case,
            window: 1 << 20,
            max_lines: u64::MAX,
            shown: 512,
            numbers: false,
        })
    }
}

/// A line with a match in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Where the line starts.
    pub(crate) offset: u64,
    /// Its number, from 1, or 0 if lines aren't counted.
    pub(crate) number: u64,
    /// What is shown of it, without its line break.
    pub(crate) text: Vec<u8>,
    /// Whether something of the line comes before `text`.
    pub(crate) cut_before: bool,
    /// Whether something of the line comes after `text`.
    pub(crate) cut_after: bool,
}

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Tally {
    /// Matches that don't overlap.
    pub(crate) matches: u64,
    /// Lines with at least one of them.
    pub(crate) lines: u64,
    /// Everything below this offset was searched.
    pub(crate) scanned: u64,
}

/// How a search ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End<R, W> {
    /// The whole file was searched.
    Complete,
    /// As many lines as wanted were found.
    Enough,
    /// The file was cut: from `Tally::scanned` on there is nothing left to read.
    Cut,
    /// The source failed.
    Read(R),
    /// The sink failed.
    Write(W),
}

/// The line that the search is in.
struct Position {
    /// Everything below is accounted for in `start` and `number`.
    upto: u64,
    start: u64,
    number: u64,
}

impl Position {
    /// Takes note of the line breaks up to `to`. `bytes` begins at `base`, at or below `upto`.
    fn advance(&mut self, bytes: &[u8], base: u64, to: u64, numbers: bool) {
        if to <= self.upto {
            return;
        }
        let passed = &bytes[(self.upto - base) as usize..(to - base) as usize];
        if let Some(last) = memrchr(b'\n', passed) {
            self.start = self.upto + last as u64 + 1;
            if numbers {
                self.number += memchr_iter(b'\n', &passed[..=last]).count() as u64;
            }
        }
        self.upto = to;
    }
}

/// Searches the first `size` bytes of `source`. What was found until then is in the tally however
/// it ends.
pub(crate) fn scan<S: Source, K: Sink>(
    source: &mut S,
    size: u64,
    query: &Query,
    sink: &mut K,
) -> (Tally, End<S::Error, K::Error>) {
    let mut tally = Tally::default();
    let end = scan_into(source, size, query, sink, &mut tally);
    (tally, end)
}

fn scan_into<S: Source, K: Sink>(
    source: &mut S,
    size: u64,
    query: &Query,
    sink: &mut K,
    tally: &mut Tally,
) -> End<S::Error, K::Error> {
    let length = query.pattern.len() as u64;
    let mut position = Position { upto: 0, start: 0, number: 1 };
    // Where the next match may begin: the end of the last one.
    let mut free = 0;
    // Where the last matching line begins.
    let mut last_line = None;
    // New bytes to the next window: fewer while feeling for the end of a file that was cut.
    let mut span = query.window as u64;
    // Every window is read into the same memory.
    let (mut window, mut folded) = (Vec::new(), Vec::new());

    if query.max_lines == 0 {
        return End::Enough;
    }
    while tally.scanned < size {
        let base = tally.scanned.saturating_sub(length - 1).max(free);
        let end = size.min(tally.scanned.saturating_add(span));
        window.resize((end - base) as usize, 0);
        match source.read(base, &mut window) {
            Ok(()) => {}
            Err(ReadError::Other(error)) => return End::Read(error),
            Err(ReadError::Gone) => match shorter(tally.scanned, end) {
                Some(shorter) => {
                    span = shorter;
                    continue;
                }
                None => return End::Cut,
            },
        }
        span = span.saturating_mul(2).min(query.window as u64);
        let searched = if query.ignore_case {
            folded.clear();
            folded.extend_from_slice(&window);
            folded.make_ascii_lowercase();
            &folded
        } else {
            &window
        };

        for found in query.finder.find_iter(searched) {
            let at = base + found as u64;
            position.advance(&window, base, at, query.numbers);
            // A file that changes under our eyes may have had a line break in this match when the
            // window before was read.
            let start = position.start.min(at);
            if last_line != Some(start) {
                if tally.lines == query.max_lines {
                    tally.scanned = tally.scanned.max(start);
                    return End::Enough;
                }
                let shown = Shown { window: &window, base, size, limit: query.shown };
                let line = shown.line(source, start, at, length, position.number, query.numbers);
                tally.lines += 1;
                last_line = Some(start);
                if let Err(error) = sink.line(line) {
                    return End::Write(error);
                }
            }
            tally.matches += 1;
            free = at + length;
        }
        position.advance(&window, base, end, query.numbers);
        tally.scanned = end;
        if let Err(error) = sink.window(end) {
            return End::Write(error);
        }
        if tally.lines == query.max_lines && last_line != Some(position.start) {
            return End::Enough;
        }
    }
    End::Complete
}

/// How many bytes to try from `from` on when those up to `end` can't be read, so that the try ends
/// at a page's border; or `None` if it was no more than one page.
fn shorter(from: u64, end: u64) -> Option<u64> {
    let first = (from / PAGE + 1) * PAGE;
    if end <= first {
        return None;
    }
    let half = (from + (end - from) / 2) / PAGE * PAGE;
    Some(half.max(first) - from)
}

/// What is at hand for showing a line.
struct Shown<'a> {
    window: &'a [u8],
    base: u64,
    size: u64,
    limit: usize,
}

impl Shown<'_> {
    /// The line that begins at `start` with a match of `length` bytes at `at`.
    fn line<S: Source>(
        &self,
        source: &mut S,
        start: u64,
        at: u64,
        length: u64,
        number: u64,
        numbers: bool,
    ) -> Line {
        let number = if numbers { number } else { 0 };
        let limit = self.limit as u64;
        if limit == 0 {
            return Line {
                offset: start,
                number,
                text: Vec::new(),
                cut_before: false,
                cut_after: false,
            };
        }
        // A line that is too long is shown from a little before the match.
        let mut from = if at + length - start <= limit {
            start
        } else {
            let lead = (limit / 4).min(limit.saturating_sub(length));
            start.max(at.saturating_sub(lead))
        };
        // Two more than are shown, so that a line break right behind them is seen.
        let mut to = self.size.min(from.saturating_add(limit + 2));
        let mut text = match self.fetch(source, from, to) {
            Some(text) => text,
            None => {
                // The file was cut a moment ago: show what there is of it.
                from = from.max(self.base);
                to = to.min(self.base + self.window.len() as u64);
                self.window[(from - self.base) as usize..(to - self.base) as usize].to_vec()
            }
        };
        let cut_before = from > start;
        let cut_after = match memchr(b'\n', &text) {
            Some(end) => {
                text.truncate(end);
                if text.last() == Some(&b'\r') {
                    text.pop();
                }
                text.len() > self.limit
            }
            None => text.len() > self.limit || to < self.size,
        };
        text.truncate(self.limit);
        if cut_before {
            text.drain(..leading_rest(&text));
        }
        if cut_after {
            text.truncate(text.len() - trailing_rest(&text));
        }
        Line { offset: start, number, text, cut_before, cut_after }
    }

    fn fetch<S: Source>(&self, source: &mut S, from: u64, to: u64) -> Option<Vec<u8>> {
        if from >= self.base && to <= self.base + self.window.len() as u64 {
            let at_hand = (from - self.base) as usize..(to - self.base) as usize;
            return Some(self.window[at_hand].to_vec());
        }
        let mut text = vec![0; (to - from) as usize];
        source.read(from, &mut text).ok()?;
        Some(text)
    }
}

/// How many bytes at the beginning are the rest of a UTF-8 character that was cut.
fn leading_rest(text: &[u8]) -> usize {
    text.iter().take(3).take_while(|&&byte| byte & 0xC0 == 0x80).count()
}

/// How many bytes at the end are the beginning of a UTF-8 character that was cut.
fn trailing_rest(text: &[u8]) -> usize {
    for back in 1..=text.len().min(3) {
        let needed = match text[text.len() - back] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => 0,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests;
