//! The command line.

use crate::scan::Query;
use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
Finds a pattern in files of any size, reading them through windows of a mapping.

Usage: search [OPTIONS] PATTERN FILE...

Each matching line is printed as FILE:OFFSET:LINE, where OFFSET is that of the line's first byte,
counted from 0. Of a long line, 512 bytes around its first match are shown.

Options:
  -i, --ignore-case    take ASCII letters for the same in either case
  -n, --line-number    print FILE:NUMBER:OFFSET:LINE, with lines counted from 1
  -c, --count          print only FILE:COUNT, the number of matching lines
  -m, --max-count N    stop a file after N matching lines
  -q, --quiet          no summary
      --window BYTES   read so much at a time, as 64K or 1M [default: 1M]
      --wasi           read the files by wasi:filesystem, not through a mapping: to compare
      --step           wait for a line on stdin after each window: to show what happens to a file
                       that is cut, or grows, while it is being read
  -h, --help           this text

The pattern is literal. Control characters are shown as \\xNN.

Exit status: 0 if something was found, 1 if not, 3 if something went wrong.
";

/// What to do.
pub(crate) struct Options {
    pub(crate) query: Query,
    pub(crate) files: Vec<String>,
    pub(crate) numbers: bool,
    pub(crate) count: bool,
    pub(crate) quiet: bool,
    pub(crate) step: bool,
    pub(crate) wasi: bool,
}

/// Reads the command line; `None` if only help is wanted. Errors are sentences.
pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let (mut pattern, mut files) = (None, Vec::new());
    let (mut ignore_case, mut numbers, mut count) = (false, false, false);
    let (mut quiet, mut step, mut wasi) = (false, false, false);
    let (mut max_lines, mut window) = (u64::MAX, 1 << 20);
    while let Some(arg) = args.next()? {
        match arg {
            Short('i') | Long("ignore-case") => ignore_case = true,
            Short('n') | Long("line-number") => numbers = true,
            Short('c') | Long("count") => count = true,
            Short('m') | Long("max-count") => max_lines = args.value()?.parse()?,
            Short('q') | Long("quiet") => quiet = true,
            Long("window") => window = args.value()?.parse_with(bytes)?,
            Long("step") => step = true,
            Long("wasi") => wasi = true,
            Short('h') | Long("help") => return Ok(None),
            Value(value) if pattern.is_none() => pattern = Some(value.string()?),
            Value(value) => files.push(value.string()?),
            unknown => return Err(unknown.unexpected()),
        }
    }
    let Some(pattern) = pattern else { return Err("which pattern?".into()) };
    if files.is_empty() {
        return Err(format!("which file should {pattern:?} be looked for in?").into());
    }
    let mut query = Query::new(pattern.as_bytes(), ignore_case)?;
    query.window = window;
    query.max_lines = max_lines;
    query.numbers = numbers;
    Ok(Some(Options { query, files, numbers, count, quiet, step, wasi }))
}

/// A number of bytes from 1 to 1 GiB.
fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| (1..=1 << 30).contains(bytes))
        .ok_or_else(|| "a number of bytes from 1 to 1024M, such as 64K, is expected".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Option<Options>, String> {
        parse(lexopt::Parser::from_args(args)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_usual_command_line() {
        let options = options(&["-inm3", "x", "--window=64K", "f", "--", "-g"]).unwrap().unwrap();
        assert_eq!(options.files, ["f", "-g"]);
        assert_eq!((options.query.window, options.query.max_lines), (65536, 3));
        assert!(options.numbers && !options.count && !options.step);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |args: &[&str]| options(args).err().unwrap();
        assert!(message(&[]).contains("pattern"));
        assert!(message(&["x"]).contains("which file"));
        assert!(message(&["", "f"]).contains("empty"));
        assert!(message(&["--colour", "x", "f"]).contains("--colour"));
        for window in ["0", "x", "", "K", "1025M", "-1", "99999999999999999999", "€"] {
            assert!(message(&["--window", window, "x", "f"]).contains("64K"), "{window}");
        }
    }
}
