//! Where a file's last lines start, found from its end, a window at a time.

use iommap_guest::{Error, Mapping};
use std::io::{self, Write};

/// How much is looked at in one call.
const WINDOW: u64 = 64 << 10;

/// The offset at which the last `lines` lines start. A line break at the very end ends the last
/// one, and starts none.
pub(crate) fn start(mapping: &Mapping, lines: u64) -> Result<u64, Error> {
    let len = mapping.len()?;
    let mut buffer = vec![0; WINDOW.min(len) as usize];
    let mut found = 0;
    let mut end = len;
    while end > 0 && lines > 0 {
        let begin = end.saturating_sub(WINDOW);
        let window = &mut buffer[..(end - begin) as usize];
        mapping.read_exact_at(begin, window)?;
        for at in memchr::memrchr_iter(b'\n', window) {
            let after = begin + at as u64 + 1;
            if after == len {
                continue;
            }
            found += 1;
            if found == lines {
                return Ok(after);
            }
        }
        end = begin;
    }
    Ok(if lines == 0 { len } else { 0 })
}

/// Writes out what the mapping holds from an offset on.
pub(crate) fn copy(mapping: &Mapping, from: u64, to: &mut impl Write) -> io::Result<()> {
    let len = mapping.len()?;
    let mut buffer = vec![0; WINDOW.min(len - from) as usize];
    let mut at = from;
    while at < len {
        let window = &mut buffer[..WINDOW.min(len - at) as usize];
        mapping.read_exact_at(at, window)?;
        to.write_all(window)?;
        at += window.len() as u64;
    }
    Ok(())
}
