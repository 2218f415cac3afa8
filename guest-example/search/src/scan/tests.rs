//! The windows against a search that has the whole text in front of it.

use super::*;

/// Text as a file that may be cut before a certain read.
struct Text {
    bytes: Vec<u8>,
    /// After so many reads only so many bytes are left, to the end of their page.
    cut: Option<(usize, u64)>,
    reads: usize,
    largest: usize,
}

impl Text {
    fn new(bytes: &[u8]) -> Text {
        Text { bytes: bytes.to_vec(), cut: None, reads: 0, largest: 0 }
    }
}

impl Source for Text {
    type Error = &'static str;

    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ReadError<&'static str>> {
        self.reads += 1;
        self.largest = self.largest.max(bytes.len());
        let end = offset + bytes.len() as u64;
        if end > self.bytes.len() as u64 {
            return Err(ReadError::Other("out of bounds"));
        }
        if let Some((after, left)) = self.cut
            && self.reads > after
            && end > left.next_multiple_of(PAGE)
        {
            return Err(ReadError::Gone);
        }
        bytes.copy_from_slice(&self.bytes[offset as usize..end as usize]);
        Ok(())
    }
}

/// Keeps what it is told, and fails at a certain line.
#[derive(Default)]
struct Found {
    lines: Vec<Line>,
    windows: Vec<u64>,
    fail_at: Option<usize>,
}

impl Sink for Found {
    type Error = &'static str;

    fn line(&mut self, line: Line) -> Result<(), &'static str> {
        if self.fail_at == Some(self.lines.len()) {
            return Err("full");
        }
        self.lines.push(line);
        Ok(())
    }

    fn window(&mut self, scanned: u64) -> Result<(), &'static str> {
        self.windows.push(scanned);
        Ok(())
    }
}

fn query(pattern: &str, window: usize) -> Query {
    Query { window, numbers: true, ..Query::new(pattern.as_bytes(), false).unwrap() }
}

type Ended = End<&'static str, &'static str>;

fn run(text: &[u8], query: &Query) -> (Vec<Line>, Tally, Ended) {
    let mut source = Text::new(text);
    let mut found = Found::default();
    let (tally, end) = scan(&mut source, text.len() as u64, query, &mut found);
    assert!(found.windows.is_sorted());
    assert!(source.largest <= (query.window + query.pattern.len() - 1).max(query.shown + 2));
    (found.lines, tally, end)
}

/// What each line shows, with `~` where something was left out.
fn texts(lines: &[Line]) -> Vec<String> {
    let mark = |cut| if cut { "~" } else { "" };
    lines
        .iter()
        .map(|line| {
            let text = String::from_utf8_lossy(&line.text);
            format!("{}{text}{}", mark(line.cut_before), mark(line.cut_after))
        })
        .collect()
}

/// Numbers that look random, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % n
    }
}

/// The same answer in the plainest way: all lines, one after the other.
fn naive(text: &[u8], query: &Query) -> (Vec<Line>, u64) {
    let fold = |bytes: &[u8]| match query.ignore_case {
        true => bytes.to_ascii_lowercase(),
        false => bytes.to_vec(),
    };
    let length = query.pattern.len();
    let (mut lines, mut matches, mut offset) = (Vec::new(), 0, 0);
    let pieces: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    for (index, &piece) in pieces.iter().enumerate() {
        let folded = fold(piece);
        let (mut first, mut at) = (None, 0);
        while at + length <= folded.len() {
            if folded[at..at + length] == query.pattern[..] {
                first = first.or(Some(at));
                matches += 1;
                at += length;
            } else {
                at += 1;
            }
        }
        if let Some(first) = first {
            let terminated = index + 1 < pieces.len();
            lines.push(naive_line(piece, terminated, offset, index as u64 + 1, first, query));
        }
        offset += piece.len() as u64 + 1;
        if lines.len() as u64 == query.max_lines {
            break;
        }
    }
    (lines, matches)
}

fn naive_line(
    line: &[u8],
    terminated: bool,
    offset: u64,
    number: u64,
    first: usize,
    query: &Query,
) -> Line {
    let (length, shown) = (query.pattern.len(), query.shown);
    let visible = if terminated { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
    let mut from = 0;
    if first + length > shown {
        // A quarter of what is shown stands before the match, if the match leaves room for it.
        let room = shown.saturating_sub(length);
        from = first.saturating_sub(room.min(shown / 4));
    }
    let visible = visible.get(from..).unwrap_or_default();
    let mut text = &visible[..visible.len().min(shown)];
    let cut_after = visible.len() > shown;
    if from > 0 {
        let rest = text.iter().position(|&byte| byte & 0xC0 != 0x80).unwrap_or(text.len());
        text = &text[rest.min(3)..];
    }
    if cut_after {
        // What the standard library calls an unexpected end.
        let tail = &text[text.len().saturating_sub(3)..];
        let begun = (0..tail.len()).find(|&start| {
            std::str::from_utf8(&tail[start..])
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        });
        if let Some(start) = begun {
            text = &text[..text.len() - (tail.len() - start)];
        }
    }
    Line { offset, number, text: text.to_vec(), cut_before: from > 0, cut_after }
}

#[test]
fn agrees_with_a_naive_search_on_random_texts() {
    const PIECES: [&str; 10] = ["a", "b", "A", "B", "\n", "\r\n", "é", "€", "𝄞", "ab"];
    let mut dice = Dice(1);
    let mut matched = 0;
    for round in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..dice.below(80) {
            text.extend_from_slice(PIECES[dice.below(10) as usize].as_bytes());
        }
        // A broken character now and then.
        if round % 3 == 0 && !text.is_empty() {
            let at = dice.below(text.len() as u64) as usize;
            text[at] = 0xFF;
        }
        let mut pattern = String::new();
        for _ in 0..=dice.below(5) {
            pattern.push_str(PIECES[[0, 1, 2, 6, 9][dice.below(5) as usize]]);
        }
        let query = Query {
            window: 1 + dice.below(30) as usize,
            shown: 1 + dice.below(20) as usize,
            max_lines: if round % 4 == 0 { 1 + dice.below(3) } else { u64::MAX },
            numbers: true,
            ..Query::new(pattern.as_bytes(), round % 2 == 0).unwrap()
        };
        let (lines, tally, end) = run(&text, &query);
        let (expected, matches) = naive(&text, &query);
        let context = || {
            let text = String::from_utf8_lossy(&text).into_owned();
            format!("round {round}: {pattern:?} in {text:?}, windows of {}", query.window)
        };
        assert_eq!(lines, expected, "{}", context());
        assert_eq!((tally.matches, tally.lines), (matches, lines.len() as u64), "{}", context());
        match end {
            End::Complete => assert_eq!(tally.scanned, text.len() as u64, "{}", context()),
            End::Enough => assert_eq!(tally.lines, query.max_lines, "{}", context()),
            other => panic!("{other:?}: {}", context()),
        }
        matched += tally.matches;
    }
    assert!(matched > 10_000, "the texts hold too few matches to mean anything: {matched}");
}

#[test]
fn a_match_is_found_wherever_a_border_falls() {
    let text = b"one two\nthree needle four\nfive";
    for window in 1..text.len() + 2 {
        let (lines, tally, end) = run(text, &query("needle", window));
        assert_eq!(texts(&lines), ["three needle four"], "windows of {window}");
        assert_eq!((lines[0].offset, lines[0].number), (8, 2), "windows of {window}");
        assert_eq!(end, End::Complete);
        assert_eq!(tally, Tally { matches: 1, lines: 1, scanned: text.len() as u64 });
    }
}

#[test]
fn matches_do_not_overlap_and_a_line_comes_once() {
    for window in 1..12 {
        let (lines, tally, _) = run(b"aaaaa\nxaa\n", &query("aa", window));
        assert_eq!(texts(&lines), ["aaaaa", "xaa"], "windows of {window}");
        assert_eq!((tally.matches, tally.lines), (3, 2), "windows of {window}");
    }
}

#[test]
fn line_ends_of_every_kind() {
    for window in 1..20 {
        let (lines, ..) = run(b"\r\nx1\r\nx2\nx3\r", &query("x", window));
        assert_eq!(texts(&lines), ["x1", "x2", "x3\r"], "windows of {window}");
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 4]);
    }
}

#[test]
fn a_long_line_is_shown_around_its_first_match() {
    let mut text = vec![b'.'; 10_000];
    text[5_000..5_003].copy_from_slice(b"hit");
    for window in [1, 7, 100, 4096, 20_000] {
        let query = Query { shown: 12, ..query("hit", window) };
        assert_eq!(texts(&run(&text, &query).0), ["~...hit......~"], "windows of {window}");
    }
}

#[test]
fn a_pattern_longer_than_a_window_and_than_what_is_shown() {
    let query = Query { shown: 4, ..query("needle", 2) };
    assert_eq!(texts(&run(b"a needle", &query).0), ["~need~"]);
}

#[test]
fn nothing_in_nothing() {
    let (lines, tally, end) = run(b"", &query("a", 8));
    assert_eq!((lines, tally, end), (Vec::new(), Tally::default(), End::Complete));
}

#[test]
fn patterns_that_cannot_be() {
    assert!(Query::new(b"", false).is_err());
    assert!(Query::new(b"a\nb", true).is_err());
}

#[test]
fn no_lines_wanted() {
    let query = Query { max_lines: 0, ..query("a", 8) };
    assert_eq!(run(b"a", &query).2, End::Enough);
}

#[test]
fn ends_soon_after_the_last_line_wanted() {
    let text = b"a a\na\n".repeat(1000);
    let query = Query { max_lines: 1, ..query("a", 8) };
    let (lines, tally, end) = run(&text, &query);
    assert_eq!((lines.len(), tally.matches, tally.scanned, end), (1, 2, 4, End::Enough));
}

#[test]
fn counting_reads_nothing_twice() {
    let mut source = Text::new(&b"a line with a match\n".repeat(100));
    let query = Query { shown: 0, ..query("a", 10) };
    let (tally, _) = scan(&mut source, 2000, &query, &mut Found::default());
    assert_eq!((tally.lines, source.reads), (100, 200));
}

#[test]
fn a_cut_file_is_searched_to_the_last_page_that_is_left() {
    let text = b"a needle in a haystack of lines\n".repeat(4096); // 128 KiB
    let mut dice = Dice(7);
    for round in 0..500 {
        let left = dice.below(text.len() as u64);
        let after = dice.below(6) as usize;
        let query = query("needle", 1 + dice.below(60_000) as usize);
        let mut source = Text { cut: Some((after, left)), ..Text::new(&text) };
        let mut found = Found::default();
        let (tally, end) = scan(&mut source, text.len() as u64, &query, &mut found);
        if end == End::Complete {
            // Everything was read before it was cut, or the last page survived.
            assert_eq!(tally.lines, 4096, "round {round}");
            continue;
        }
        assert_eq!(end, End::Cut, "round {round}");
        let rest = left.next_multiple_of(PAGE);
        assert!(tally.scanned >= rest, "round {round}: {} of {rest}", tally.scanned);
        let whole = &text[..tally.scanned as usize];
        assert_eq!(tally.matches, naive(whole, &query).1, "round {round}");
        assert_eq!(found.lines.len() as u64, tally.lines, "round {round}");
    }
}

#[test]
fn a_file_cut_to_nothing_at_once() {
    let mut source = Text { cut: Some((0, 0)), ..Text::new(&[b'a'; 100_000]) };
    let (tally, end) = scan(&mut source, 100_000, &query("a", 1 << 20), &mut Found::default());
    assert_eq!((tally, end), (Tally::default(), End::Cut));
    assert!(source.reads < 10, "{} reads", source.reads);
}

#[test]
fn a_line_whose_beginning_was_cut_is_shown_from_what_is_left() {
    let text = b"0123456789 match ...";
    let query = query("match", 8);
    assert_eq!(texts(&run(text, &query).0), ["0123456789 match ..."]);
    // The second window has the match. The line would be the third read, and is gone.
    let mut source = Text { cut: Some((2, 0)), ..Text::new(text) };
    let mut found = Found::default();
    let (tally, end) = scan(&mut source, 20, &query, &mut found);
    assert_eq!((tally.matches, tally.scanned, end), (1, 16, End::Cut));
    assert_eq!(texts(&found.lines), ["~456789 match~"]);
}

#[test]
fn failures_end_the_search_and_keep_the_count() {
    let mut found = Found { fail_at: Some(2), ..Found::default() };
    let (tally, end) = scan(&mut Text::new(b"a\na\na\n"), 6, &query("a", 1), &mut found);
    assert_eq!((tally.scanned, end), (4, End::Write("full")));
    let (tally, end) = scan(&mut Text::new(b"a\na\n"), 6, &query("a", 2), &mut Found::default());
    assert_eq!((tally.matches, end), (2, End::Read("out of bounds")));
}
