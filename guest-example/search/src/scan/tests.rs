//! The windows against a search that has the whole text in front of it.

use super::*;
use fastrand::Rng;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file, which goes with this. Where the tests run as a component, /tmp has to be granted.
struct Text(PathBuf);

impl Text {
    fn new(bytes: &[u8]) -> Text {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let text = Text(format!("/tmp/search-{time}-{number}").into());
        fs::write(&text.0, bytes).unwrap();
        text
    }

    fn cut(&self, len: u64) {
        fs::OpenOptions::new().write(true).open(&self.0).unwrap().set_len(len).unwrap();
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Keeps what it is told; fails at a certain line, or cuts the file after a certain window.
#[derive(Default)]
struct Found<'a> {
    lines: Vec<Line>,
    windows: usize,
    fail_at: Option<usize>,
    cut: Option<(usize, u64, &'a Text)>,
}

impl Sink for Found<'_> {
    fn line(&mut self, line: Line) -> io::Result<()> {
        if self.fail_at == Some(self.lines.len()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.lines.push(line);
        Ok(())
    }

    fn window(&mut self, _: u64) -> io::Result<()> {
        self.windows += 1;
        if let Some((after, len, text)) = self.cut
            && self.windows == after
        {
            text.cut(len);
        }
        Ok(())
    }
}

fn query(pattern: &str, window: usize) -> Query {
    Query { window, numbers: true, ..Query::new(pattern.as_bytes(), false).unwrap() }
}

fn run(text: &Text, query: &Query, found: &mut Found<'_>) -> (Tally, Result<(), Stop>) {
    let mut tally = Tally::default();
    let ended = scan(&*crate::mapped(text.0.to_str().unwrap()).unwrap(), query, found, &mut tally);
    (tally, ended)
}

fn find(text: &[u8], query: &Query) -> (Vec<Line>, Tally) {
    let mut found = Found::default();
    let (tally, ended) = run(&Text::new(text), query, &mut found);
    ended.unwrap();
    (found.lines, tally)
}

/// What each line shows, with `~` where something was left out.
fn texts(lines: &[Line]) -> Vec<String> {
    let mark = |cut| if cut { "~" } else { "" };
    let text = |line: &Line| {
        let text = String::from_utf8_lossy(&line.text);
        format!("{}{text}{}", mark(line.cut_before), mark(line.cut_after))
    };
    lines.iter().map(text).collect()
}

/// The same answer in the plainest way: the lines that match, and how many matches they have.
fn naive(text: &[u8], query: &Query) -> (Vec<(u64, u64)>, u64) {
    let (mut lines, mut matches, mut offset) = (Vec::new(), 0, 0);
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let folded = if query.ignore_case { line.to_ascii_lowercase() } else { line.to_vec() };
        let count = query.finder.find_iter(&folded).count() as u64;
        if count > 0 && (lines.len() as u64) < query.max_lines {
            lines.push((offset, number));
            matches += count;
        }
        offset += line.len() as u64 + 1;
    }
    (lines, matches)
}

#[test]
fn it_agrees_with_a_naive_search_on_random_texts() {
    const PIECES: [&str; 8] = ["a", "b", "A", "B", "\n", "\r\n", "é", "ab"];
    let mut dice = Rng::with_seed(1);
    let mut matched = 0;
    for round in 0..1_000 {
        let text: String = (0..dice.u8(..80)).map(|_| PIECES[dice.usize(..8)]).collect();
        let pattern: String = (0..=dice.u8(..5)).map(|_| PIECES[dice.usize(..3)]).collect();
        let query = Query {
            window: dice.usize(1..=30),
            max_lines: if round % 4 == 0 { dice.u64(1..=3) } else { u64::MAX },
            numbers: true,
            ..Query::new(pattern.as_bytes(), round % 2 == 0).unwrap()
        };
        let (lines, tally) = find(text.as_bytes(), &query);
        let (expected, matches) = naive(text.as_bytes(), &query);
        let context = format!("{pattern:?} in {text:?}, windows of {}", query.window);
        let found: Vec<_> = lines.iter().map(|line| (line.offset, line.number)).collect();
        assert_eq!(found, expected, "{context}");
        for line in &lines {
            let rest = &text.as_bytes()[line.offset as usize..];
            let whole = rest.split(|&byte| byte == b'\n').next().unwrap();
            let shown = if rest.len() > whole.len() {
                whole.strip_suffix(b"\r").unwrap_or(whole)
            } else {
                whole
            };
            assert_eq!(line.text, shown, "{context}");
        }
        // Of the last line wanted, what lies behind the window may be left out.
        if query.max_lines == u64::MAX {
            assert_eq!((tally.matches, tally.scanned), (matches, text.len() as u64), "{context}");
        }
        matched += tally.matches;
    }
    assert!(matched > 500, "the texts hold too few matches to mean anything: {matched}");
}

#[test]
fn a_match_is_found_wherever_a_border_falls() {
    let text = b"one two\nthree needle four\nfive";
    for window in 1..text.len() + 2 {
        let (lines, tally) = find(text, &query("needle", window));
        assert_eq!(texts(&lines), ["three needle four"], "windows of {window}");
        assert_eq!((lines[0].offset, lines[0].number), (8, 2), "windows of {window}");
        assert_eq!(tally, Tally { matches: 1, lines: 1, scanned: text.len() as u64 });
    }
}

#[test]
fn matches_do_not_overlap_and_a_line_comes_once() {
    for window in 1..12 {
        let (lines, tally) = find(b"aaaaa\nxaa\n", &query("aa", window));
        assert_eq!(texts(&lines), ["aaaaa", "xaa"], "windows of {window}");
        assert_eq!((tally.matches, tally.lines), (3, 2), "windows of {window}");
    }
}

#[test]
fn a_long_line_is_shown_around_its_first_match() {
    let mut text = vec![b'.'; 10_000];
    text[5_000..5_003].copy_from_slice(b"hit");
    let shown = format!("~{}hit{}~", ".".repeat(SHOWN / 4), ".".repeat(SHOWN - SHOWN / 4 - 3));
    for window in [1, 7, 100, 4096, 20_000] {
        assert_eq!(texts(&find(&text, &query("hit", window)).0), [&*shown], "{window}");
    }
}

#[test]
fn patterns_that_cannot_be_are_refused() {
    assert!(Query::new(b"", false).is_err());
    assert!(Query::new(b"a\nb", true).is_err());
}

#[test]
fn it_ends_soon_after_the_last_line_wanted() {
    let text = b"a a\na\n".repeat(1000);
    let (lines, tally) = find(&text, &Query { max_lines: 1, ..query("a", 8) });
    assert_eq!((lines.len(), tally.matches), (1, 2));
    assert!(tally.scanned <= 16, "{tally:?}");
    assert_eq!(find(b"a", &Query { max_lines: 0, ..query("a", 8) }).0, []);
}

#[test]
fn a_cut_file_is_searched_to_the_last_page_that_is_left() {
    let bytes = b"a needle in a haystack of lines\n".repeat(4096); // 128 KiB
    let mut dice = Rng::with_seed(7);
    for round in 0..100 {
        let left = dice.u64(..bytes.len() as u64);
        let query = query("needle", dice.usize(500..60_500));
        let text = Text::new(&bytes);
        let cut = Some((dice.usize(1..=3), left, &text));
        let mut found = Found { cut, ..Found::default() };
        let (tally, ended) = run(&text, &query, &mut found);
        let rest = left.next_multiple_of(PAGE);
        assert_eq!(found.lines.len() as u64, tally.lines, "round {round}");
        match ended {
            // Everything was read before it was cut, or the last page survived.
            Ok(()) => assert_eq!(tally.scanned, bytes.len() as u64, "round {round}"),
            Err(Stop::Read(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert!(tally.scanned >= rest, "round {round}: {} of {rest}", tally.scanned);
            }
            Err(Stop::Write(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn a_sink_that_fails_ends_the_search_and_keeps_the_count() {
    let mut found = Found { fail_at: Some(2), ..Found::default() };
    let (tally, ended) = run(&Text::new(b"a\na\na\n"), &query("a", 1), &mut found);
    assert!(matches!(ended, Err(Stop::Write(_))));
    assert_eq!((tally.lines, tally.scanned), (2, 4));
}
