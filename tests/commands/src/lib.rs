//! The language in which the tests tell a guest what to do, without what is done: used by the guests
//! `driver` and `rustic`, and by the tests themselves.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// Why a command makes no sense.
#[derive(Debug, PartialEq)]
pub struct Bad(pub String);

/// The rest of a command.
#[derive(Debug, PartialEq)]
pub struct Words(VecDeque<Vec<u8>>);

impl Words {
    /// The words of `line`, with quotes and escapes resolved.
    pub fn split(line: &str) -> Result<Words, Bad> {
        let mut words = VecDeque::new();
        // `None` between words.
        let mut word: Option<Vec<u8>> = None;
        let mut quoted = false;
        let mut bytes = line.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                b'\\' if quoted => word.get_or_insert_default().push(escape(&mut bytes)?),
                b' ' if !quoted => words.extend(word.take()),
                byte => word.get_or_insert_default().push(byte),
            }
        }
        if quoted {
            return Err(Bad("a quote is not closed".into()));
        }
        words.extend(word);
        Ok(Words(words))
    }

    /// All that are left, as text.
    pub fn texts(self) -> Result<Vec<String>, Bad> {
        self.0.into_iter().map(utf8).collect()
    }

    fn word(&mut self, what: &str) -> Result<Vec<u8>, Bad> {
        self.0.pop_front().ok_or_else(|| Bad(format!("{what} is missing")))
    }

    /// A word that is text.
    pub fn text(&mut self, what: &str) -> Result<String, Bad> {
        utf8(self.word(what)?)
    }

    /// A word that is text, if there is one more.
    pub fn optional_text(&mut self) -> Result<Option<String>, Bad> {
        self.0.pop_front().map(utf8).transpose()
    }

    /// A word that is a number.
    pub fn number(&mut self, what: &str) -> Result<u64, Bad> {
        number(&self.text(what)?)
    }

    /// What a word stands for in `table`.
    pub fn one_of<T: Copy>(&mut self, what: &str, table: &[(&str, T)]) -> Result<T, Bad> {
        one_of(&self.text(what)?, table)
    }

    /// `OFFSET+LENGTH,OFFSET+LENGTH..`, or `-`.
    pub fn ranges(&mut self) -> Result<Vec<(u64, u64)>, Bad> {
        let text = self.text("a list of ranges")?;
        if text == "-" {
            return Ok(Vec::new());
        }
        text.split(',')
            .map(|range| {
                let (offset, length) = range
                    .split_once('+')
                    .ok_or_else(|| Bad(format!("{range:?} is not OFFSET+LENGTH")))?;
                Ok((number(offset)?, number(length)?))
            })
            .collect()
    }

    /// `hex:..`, `fill:BYTE:LENGTH` or `text:..`.
    pub fn data(&mut self) -> Result<Vec<u8>, Bad> {
        data(&self.word("data")?)
    }

    /// That nothing is left over.
    pub fn end(&self) -> Result<(), Bad> {
        match self.0.front() {
            None => Ok(()),
            Some(word) => Err(Bad(format!("\"{}\" is too much", word.escape_ascii()))),
        }
    }
}

fn utf8(word: Vec<u8>) -> Result<String, Bad> {
    String::from_utf8(word)
        .map_err(|error| Bad(format!("\"{}\" is not UTF-8", error.as_bytes().escape_ascii())))
}

fn escape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, Bad> {
    let bad = || Bad("an escape is none of \\0 \\n \\\" \\\\ \\xNN".into());
    match bytes.next().ok_or_else(bad)? {
        b'0' => Ok(0),
        b'n' => Ok(b'\n'),
        byte @ (b'"' | b'\\') => Ok(byte),
        b'x' => {
            let mut digit = || bytes.next().and_then(hex).ok_or_else(bad);
            Ok(digit()? << 4 | digit()?)
        }
        _ => Err(bad()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Bytes as a command says them: `hex:..`, `fill:BYTE:LENGTH` or `text:..`.
pub fn data(word: &[u8]) -> Result<Vec<u8>, Bad> {
    if let Some(text) = word.strip_prefix(b"text:") {
        return Ok(text.to_vec());
    }
    let bad =
        || Bad(format!("\"{}\" is not hex:.., fill:BYTE:LENGTH or text:..", word.escape_ascii()));
    let text = std::str::from_utf8(word).map_err(|_| bad())?;
    if let Some(digits) = text.strip_prefix("hex:") {
        let pairs = digits.as_bytes().chunks(2).map(|pair| match *pair {
            [high, low] => Some(hex(high)? << 4 | hex(low)?),
            _ => None,
        });
        return pairs.collect::<Option<_>>().ok_or_else(bad);
    }
    let fill = text.strip_prefix("fill:").and_then(|fill| fill.split_once(':'));
    let (byte, length) = fill.ok_or_else(bad)?;
    let byte = u8::try_from(number(byte)?).map_err(|_| bad())?;
    let length = usize::try_from(number(length)?).map_err(|_| bad())?;
    Ok(vec![byte; length])
}

/// A number, decimal or hexadecimal.
pub fn number(text: &str) -> Result<u64, Bad> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign too.
    Some(digits)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u64::from_str_radix(digits, radix).ok())
        .ok_or_else(|| Bad(format!("{text:?} is not a number of 64 bits")))
}

/// What `text` stands for in `table`.
pub fn one_of<T: Copy>(text: &str, table: &[(&str, T)]) -> Result<T, Bad> {
    table.iter().find(|(name, _)| *name == text).map(|&(_, value)| value).ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        Bad(format!("{text:?} is none of {}", names.join(", ")))
    })
}

/// Bytes in an answer: `hex:..`, or their number and hash if they are many.
pub fn shown(bytes: &[u8]) -> String {
    if bytes.len() > 64 {
        return format!("len={} fnv={:016x}", bytes.len(), fnv(bytes));
    }
    let mut text = String::from("hex:");
    for byte in bytes {
        _ = write!(text, "{byte:02x}");
    }
    text
}

/// FNV-1a of 64 bits.
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<Vec<u8>>, Bad> {
        Words::split(line).map(|words| words.0.into())
    }

    fn data(word: &str) -> Result<Vec<u8>, Bad> {
        Words::split(word)?.data()
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(words("").unwrap(), [b""; 0]);
        assert_eq!(words("  a  b ").unwrap(), [b"a", b"b"]);
        assert_eq!(words(r#"a "" b"#).unwrap(), [&b"a"[..], b"", b"b"]);
        assert_eq!(words(r#"text:"x y"z"#).unwrap(), [b"text:x yz"]);
        assert_eq!(words(r#""\0\n\"\\\xfF" a\n"#).unwrap(), [&b"\0\n\"\\\xff"[..], b"a\\n"]);
        for line in [r#""a"#, r#""\"#, r#""\q""#, r#""\x1""#, r#""\xg0""#] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(number("0xffffffffffffffff"), Ok(u64::MAX));
        for text in ["", "0x", "-1", "+1", "0x+1", "18446744073709551616", "1K", "f", " 1"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges() {
        let ranges = |text: &str| Words::split(text).unwrap().ranges();
        assert_eq!(ranges("-"), Ok(vec![]));
        assert_eq!(ranges("1+2,0x10+0"), Ok(vec![(1, 2), (16, 0)]));
        for text in ["1", "1+", "+1", "1+2,", "1-2", ""] {
            assert!(ranges(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pieces_of_data() {
        assert_eq!(data("hex:").unwrap(), b"");
        assert_eq!(data("hex:00fFa0").unwrap(), b"\x00\xff\xa0");
        assert_eq!(data("fill:0x61:3").unwrap(), b"aaa");
        assert_eq!(data("text:").unwrap(), b"");
        assert_eq!(data(r#"text:"a b\xff""#).unwrap(), b"a b\xff");
        for word in ["hex:0", "hex:0g", "fill:256:1", "fill:1", "fill::", "x", r#""\xff""#, ""] {
            assert!(data(word).is_err(), "{word}");
        }
    }

    #[test]
    fn what_is_too_much_is_named() {
        let mut words = Words::split("a b").unwrap();
        assert!(words.end().is_err());
        assert_eq!(words.text("x").as_deref(), Ok("a"));
        assert_eq!(words.end(), Err(Bad("\"b\" is too much".into())));
        assert_eq!(words.text("x").as_deref(), Ok("b"));
        assert_eq!(words.end(), Ok(()));
        assert_eq!(words.text("a name"), Err(Bad("a name is missing".into())));
        assert_eq!(words.optional_text(), Ok(None));
    }

    #[test]
    fn names_from_a_table() {
        let table = [("one", 1), ("two", 2)];
        assert_eq!(one_of("two", &table), Ok(2));
        assert_eq!(one_of("three", &table), Err(Bad("\"three\" is none of one, two".into())));
    }

    #[test]
    fn bytes_in_answers() {
        assert_eq!(shown(b""), "hex:");
        assert_eq!(shown(b"\x00\xfe"), "hex:00fe");
        assert_eq!(shown(&[0; 64]).len(), 4 + 128);
        // The published test vectors of FNV-1a.
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(shown(&[7; 65]), format!("len=65 fnv={:016x}", fnv(&[7; 65])));
    }
}
