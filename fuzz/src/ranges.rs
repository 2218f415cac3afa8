//! Lists of ranges for the batch calls.

use crate::place;
use iommap::{ErrorKind, FsPerms, Grants, Limits, Mapping, OpenOptions, Range, Usage};
use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;

const PAGES: u64 = 6;

/// What a range in a list counts for, at least, against the bytes of a call.
const RANGE_BYTES: u64 = 4096;

thread_local! {
    static PLACE: OnceCell<PathBuf> = const { OnceCell::new() };
}

/// Makes a file, cuts it after a few pages, and reads or writes a list of ranges of it.
///
/// # Panics
///
/// If what comes back, or what is in the file, is not what it must be.
pub fn ranges(data: &[u8]) {
    let Some(([cut, how, repeat, limit], rest)) = data.split_first_chunk() else { return };
    let page = iommap_model::page();
    let case = Case {
        length: PAGES * page - u64::from(cut / 8) * 5,
        backed: u64::from(cut % 8).min(PAGES),
        call_bytes: [64 << 20, RANGE_BYTES, 10 * RANGE_BYTES, 3 * page][usize::from(limit % 4)],
        ranges: list(rest, *repeat),
    };
    PLACE.with(|place| {
        let place = place.get_or_init(|| place::make("ranges"));
        let path = place.join("f");
        let old = pattern(case.length);
        fs::write(&path, &old).expect("a file");
        let mut grants = Grants::default();
        grants.preopened_dir(place, "d", FsPerms::ReadWrite).expect("a directory to grant");
        let mut limits = Limits::default();
        limits.call_bytes = case.call_bytes;
        let usage = Usage::new(limits);
        let options = OpenOptions::new().read(true).write(true);
        let mapping = grants.open(&usage, "d/f", &options).expect("a mapping");
        let file = fs::OpenOptions::new().write(true).open(&path).expect("the file");
        file.set_len(case.length.min(case.backed * page)).expect("a length");

        if how % 2 == 0 {
            case.read(&mapping, &old);
        } else {
            let written = case.write(&mapping, how / 2 % 4 == 3);
            case.check_file(&fs::read(&path).expect("the file"), &old, &written);
        }
        drop(mapping);
        assert_eq!(usage.counters().mapped_bytes, 0);
    });
}

struct Case {
    length: u64,
    /// So many pages are left of the file.
    backed: u64,
    call_bytes: u64,
    ranges: Vec<Range>,
}

/// What a write was told, and what it was to write.
struct Written {
    error: Option<ErrorKind>,
    data: Vec<u8>,
}

impl Case {
    /// What must be the answer, but for a wrong amount of data.
    fn expected(&self) -> Option<ErrorKind> {
        let most = self.most();
        let inside = |range: &Range| {
            u128::from(range.offset) + u128::from(range.length) <= u128::from(self.length)
        };
        if !self.ranges.iter().take(most).all(inside) {
            return Some(ErrorKind::OutOfBounds);
        }
        let sum: u128 = self.ranges.iter().map(|range| u128::from(range.length)).sum();
        if self.ranges.len() > most || sum > u128::from(self.call_bytes) {
            return Some(ErrorKind::LimitExceeded);
        }
        self.ranges.iter().any(|range| self.lost(range)).then_some(ErrorKind::Sigbus)
    }

    /// How many ranges a call takes.
    fn most(&self) -> usize {
        (self.call_bytes / RANGE_BYTES) as usize + 1
    }

    fn lost(&self, range: &Range) -> bool {
        range.length > 0 && range.offset + range.length > self.backed * iommap_model::page()
    }

    /// All lengths together, where that is something to allocate. It is where all ranges lie
    /// inside: there are not so many of them.
    fn sum(&self) -> usize {
        let sum: u128 = self.ranges.iter().map(|range| u128::from(range.length)).sum();
        if sum > 1 << 25 { 0 } else { sum as usize }
    }

    fn read(&self, mapping: &Mapping, old: &[u8]) {
        let mut bytes = vec![0; self.sum()];
        let error = mapping.pread_many(&self.ranges, &mut bytes).err().map(|error| error.kind());
        assert_eq!(error, self.expected(), "{:?}", self.ranges);
        if error.is_none() {
            let piece = |range: &Range| &old[range.offset as usize..][..range.length as usize];
            let expected: Vec<u8> = self.ranges.iter().flat_map(piece).copied().collect();
            assert!(bytes == expected, "{:?}", self.ranges);
        }
    }

    fn write(&self, mapping: &Mapping, too_much: bool) -> Written {
        let data = vec![0xd7; self.sum() + usize::from(too_much)];
        let error = mapping.pwrite_many(&self.ranges, &data).err().map(|error| error.kind());
        let sum = self.ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
        let short_list = self.ranges.len() <= self.most();
        let expected = match short_list && sum != Some(data.len() as u64) {
            true => Some(ErrorKind::Badarg),
            false => self.expected(),
        };
        assert_eq!(error, expected, "{:?}", self.ranges);
        Written { error, data }
    }

    /// Compares what is left of the file with what is to be in it.
    fn check_file(&self, found: &[u8], old: &[u8], written: &Written) {
        // `None`: the write failed there, and may have got so far or not.
        let mut expected: Vec<Option<u8>> = old.iter().copied().map(Some).collect();
        if matches!(written.error, None | Some(ErrorKind::Sigbus)) {
            let mut data = written.data.as_slice();
            for range in &self.ranges {
                let (piece, after) = data.split_at(range.length as usize);
                let lost = self.lost(range);
                for (cell, byte) in expected[range.offset as usize..].iter_mut().zip(piece) {
                    *cell = (!lost).then_some(*byte);
                }
                if lost {
                    break;
                }
                data = after;
            }
        }
        let left = self.length.min(self.backed * iommap_model::page());
        assert_eq!(found.len() as u64, left);
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(expected.is_none_or(|byte| byte == *found), "at {at}: {:?}", self.ranges);
        }
    }
}

/// Ranges of five bytes each, as often again as `repeat` says.
fn list(data: &[u8], repeat: u8) -> Vec<Range> {
    let ranges: Vec<Range> = data
        .chunks_exact(5)
        .map(|chunk| {
            let offset = number(chunk[0] & 0xf, [chunk[1], chunk[2]]);
            Range { offset, length: number(chunk[0] >> 4, [chunk[3], chunk[4]]) }
        })
        .take(160)
        .collect();
    let count = ranges.len() * (1 + usize::from(repeat % 8));
    ranges.into_iter().cycle().take(count).collect()
}

fn number(kind: u8, bytes: [u8; 2]) -> u64 {
    let small = u64::from(u16::from_le_bytes(bytes));
    match kind {
        0..=5 => small % (PAGES * iommap_model::page()),
        6..=11 => small % 100,
        12 => u64::MAX - small,
        13 => PAGES * iommap_model::page() - small % 100,
        14 => (1 << 63) - 50 + small % 100,
        _ => (1 << 32) - 50 + small % 100,
    }
}

/// Bytes that are never zero, nor what is written.
fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|at| (at % 211 + 1) as u8).collect()
}
