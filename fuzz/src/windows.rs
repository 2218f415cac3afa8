//! A guest's windows, with numbers that no good guest would pass, held to a naive reading of what the
//! interface says; and the guest's memory, held to what must be there, byte for byte.

use iommap_tests::scene::{Kind, Scene};
use iommap_tests::windows::{FREE, FROZEN, READ, READ_WRITE, SHARED, TOKEN, UNIT, Windowed};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// An operation is so many bytes.
const RECORD: usize = 8;

/// No more operations than this, so that an input takes a bounded time.
const LONGEST: usize = 24;

const NAME: &str = "file";
const BYTES: u64 = 3 * UNIT + 5000;
const PAGE: u64 = 4096;

/// So much of the guest's memory is looked at.
const AREA: u64 = 12 * UNIT;
/// How much memory the guest has.
const MEMORY: u64 = 512 * UNIT;

/// What the guest may have at once.
const WINDOWS: usize = 3;
const WINDOW_BYTES: u64 = 6 * UNIT;

/// How many names windows have.
const SLOTS: usize = 5;

/// Numbers that lie on the edges of something.
const EDGES: [u64; 20] = [
    0,
    1,
    PAGE - 1,
    PAGE,
    UNIT - 8,
    UNIT,
    UNIT + 1,
    2 * UNIT,
    BYTES - 1,
    BYTES,
    BYTES + 1,
    3 * UNIT,
    4 * UNIT,
    MEMORY - UNIT,
    MEMORY,
    1 << 32,
    1 << 63,
    u64::MAX - UNIT + 1,
    u64::MAX - 7,
    u64::MAX,
];

/// Opens, moves, checks, closes and drops windows, and cuts the file meanwhile.
///
/// # Panics
///
/// If an answer is another than it must be, or a byte of the guest's memory, or if anything is left
/// in use.
pub fn windows(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let scene = Scene::new(Kind::Sync);
    scene.write(NAME, content());
    let mut context = scene.grant_windows();
    context.max_windows(WINDOWS as u64).max_window_bytes(WINDOW_BYTES);
    let mut guest = scene.windowed_with(&mut context);
    let usage = guest.usage();
    let writes = first % 2 == 1;
    assert_eq!(guest.map(NAME, if writes { READ_WRITE } else { READ }, 0), "ok");
    let file = File::options().write(true).open(scene.path(NAME)).expect("the file");
    let mut model = Model {
        file: content(),
        writes,
        mapped: true,
        base: vec![0; AREA as usize],
        windows: Vec::new(),
    };
    for record in rest.chunks_exact(RECORD).take(LONGEST) {
        model.step(&mut guest, &file, record.try_into().expect("as long as a record"));
    }
    drop(guest);
    let used = usage.counters();
    assert_eq!(
        (used.windows, used.window_bytes, used.handles, used.mappings),
        (0, 0, 0, 0),
        "left"
    );
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|at| 1 + (at % 251) as u8).collect()
}

/// A window that is open, or whose handle is.
struct Window {
    /// The name it goes by; none if another took it.
    slot: Option<usize>,
    open: bool,
    /// Where it begins, in the guest's memory, and how long its region is.
    start: u64,
    region: u64,
    /// Of the file.
    offset: u64,
    length: u64,
    /// From here on there were zeros in place of lost pages.
    lost: Option<u64>,
}

impl Window {
    fn span(&self) -> u64 {
        self.length.next_multiple_of(PAGE)
    }
}

struct Model {
    file: Vec<u8>,
    writes: bool,
    mapped: bool,
    /// The guest's own memory, from `FREE` on.
    base: Vec<u8>,
    windows: Vec<Window>,
}

impl Model {
    fn step(&mut self, guest: &mut Windowed, file: &File, record: [u8; RECORD]) {
        let [what, slot, a, b, c, d, e, f] = record;
        let slot = usize::from(slot) % SLOTS;
        // Mostly what might be right.
        let number = |of: u8, good: u64| match of {
            0..=159 => good,
            _ => EDGES[usize::from(of) % EDGES.len()],
        };
        let offset = number(a, u64::from(a % 4) * UNIT);
        let length = number(b, 1 + u64::from(b) * 1200);
        let flags = [0, 0, SHARED, 2, FROZEN, SHARED | FROZEN][usize::from(f) % 6];
        let named = self.windows.iter().position(|window| window.slot == Some(slot));
        match (what % 16, named) {
            (0..=5, _) => {
                let address = number(c, FREE + u64::from(c % 7) * UNIT);
                let room = length.min(BYTES + UNIT).next_multiple_of(PAGE) + 8;
                let region = number(d, room.next_multiple_of(UNIT));
                let token = if e % 8 == 7 { 0 } else { TOKEN };
                self.open(guest, slot, (offset, length), (address, region, token), flags, e % 8);
            }
            (6..=7, Some(named)) => self.move_to(guest, slot, named, (offset, length), flags),
            (8..=9, Some(named)) => {
                let answer = self.on(named, |window| match window.lost {
                    Some(_) => "sigbus",
                    None => "ok",
                });
                assert_eq!(guest.check(slot as u32), answer, "check");
            }
            (10, Some(named)) => {
                let answer = self.on(named, |_| "ok");
                assert_eq!(guest.close(slot as u32), answer, "close");
                self.end(named);
            }
            (11, Some(named)) => {
                guest.release(slot as u32);
                self.end(named);
                self.windows.remove(named);
            }
            (12, Some(named)) => {
                let answer = self.on(named, |window| {
                    let end = offset.checked_add(length);
                    let within = end.is_some_and(|end| end <= window.length);
                    if within { "ok" } else { "out-of-bounds" }
                });
                assert_eq!(guest.prefetch(slot as u32, offset, length), answer, "prefetch");
            }
            (13, _) => {
                let length = u64::from(c) * 900 % BYTES;
                file.set_len(length).expect("a cut");
                self.file.truncate(length as usize);
            }
            (14, _) => {
                self.file = content();
                file.write_all_at(&self.file, 0).expect("the file is whole again");
            }
            (15, _) if e % 8 == 0 && self.mapped => {
                assert_eq!(guest.unmap(), "ok");
                self.mapped = false;
            }
            _ => {}
        }
        // All of it is touched, from front to back.
        for window in self.windows.iter_mut().filter(|window| window.open) {
            let there = (self.file.len() as u64).next_multiple_of(PAGE);
            let first = there.saturating_sub(window.offset).min(window.span());
            let lost = window.lost.unwrap_or(window.span());
            if first < lost {
                window.lost = Some(first);
                fill(&mut self.base, window.start + first..window.start + window.region, 0);
            }
        }
        let expected = self.memory();
        assert_eq!(guest.hash(FREE, AREA), fnv(&expected), "the memory is not as it must be");
    }

    /// An answer about a window that has a name.
    fn on(&self, named: usize, answer: impl Fn(&Window) -> &'static str) -> &'static str {
        let window = &self.windows[named];
        if window.open { answer(window) } else { "closed" }
    }

    /// Why no window may show such a range, so far as that depends on the range.
    fn refused(&self, (offset, length): (u64, u64), flags: u32) -> Option<&'static str> {
        if !self.mapped {
            return Some("closed");
        }
        if flags & SHARED != 0 && !self.writes {
            return Some("eacces");
        }
        // The mapping is as long as the file was when it was opened.
        if offset.checked_add(length).is_none_or(|end| end > BYTES) {
            return Some("out-of-bounds");
        }
        let both = flags & SHARED != 0 && flags & FROZEN != 0;
        (length == 0 || !offset.is_multiple_of(UNIT) || both).then_some("badarg")
    }

    fn open(
        &mut self,
        guest: &mut Windowed,
        slot: usize,
        range: (u64, u64),
        (address, region, token): (u64, u64, u64),
        flags: u32,
        how: u8,
    ) {
        let end = address.checked_add(region).filter(|end| *end <= MEMORY);
        // None is put where the guest keeps things of its own, nor in windows, nor behind what is
        // looked at.
        let place = end.and_then(|end| end.checked_sub(8)).filter(|at| *at >= FREE);
        let free = |at: &u64| !self.windows.iter().any(|window| window.open && window.has(*at));
        let put =
            place.filter(free).filter(|at| how != 6 && address >= FREE && at + 8 <= FREE + AREA);
        if let Some(at) = put {
            guest.store(at, TOKEN);
            let at = (at - FREE) as usize;
            self.base[at..at + 8].copy_from_slice(&TOKEN.to_le_bytes());
        }
        let span = range.1.checked_next_multiple_of(PAGE);
        let answer = self.refused(range, flags).unwrap_or_else(|| {
            let even = address.is_multiple_of(UNIT) && region.is_multiple_of(UNIT);
            let (Some(end), true) = (end, even) else { return "badarg" };
            let span = span.expect("the range is one of the file's");
            let overlaps = self.windows.iter().any(|window| {
                window.open && window.start < end && address < window.start + window.region
            });
            if span + 8 > region || token == 0 || overlaps {
                return "badarg";
            }
            let there = place.is_some_and(|at| self.has_token(at));
            if flags & FROZEN != 0 || !there {
                return "enotsup";
            }
            let open = || self.windows.iter().filter(|window| window.open);
            let bytes: u64 = open().map(Window::span).sum();
            if open().count() == WINDOWS || bytes + span > WINDOW_BYTES {
                return "limit-exceeded";
            }
            "ok"
        });
        let (offset, length) = range;
        let region = (address, region, token);
        let opened = guest.window_in(slot as u32, offset, length, region, flags);
        assert_eq!(opened, answer, "open {range:?} at {region:x?} with {flags:#b}");
        if answer == "ok" {
            let (start, region, _) = region;
            for window in &mut self.windows {
                window.slot = window.slot.filter(|taken| *taken != slot);
            }
            let slot = Some(slot);
            let new = Window { slot, open: true, start, region, offset, length, lost: None };
            fill(&mut self.base, start..start + new.span(), 0);
            self.windows.push(new);
        }
    }

    fn move_to(
        &mut self,
        guest: &mut Windowed,
        slot: usize,
        named: usize,
        range: (u64, u64),
        flags: u32,
    ) {
        let others: u64 = self.windows.iter().filter(|window| window.open).map(Window::span).sum();
        let window = &self.windows[named];
        let answer = match self.refused(range, flags) {
            _ if !window.open => "closed",
            Some(refused) => refused,
            None => {
                let span = range.1.next_multiple_of(PAGE);
                if span + 8 > window.region {
                    "badarg"
                } else if flags & FROZEN != 0 {
                    "enotsup"
                } else if others + span.saturating_sub(window.span()) > WINDOW_BYTES {
                    "limit-exceeded"
                } else {
                    "ok"
                }
            }
        };
        let moved = guest.move_to(slot as u32, range.0, range.1, flags);
        assert_eq!(moved, answer, "move to {range:?} with {flags:#b}");
        if answer == "ok" {
            let window = &mut self.windows[named];
            let before = window.span();
            (window.offset, window.length, window.lost) = (range.0, range.1, None);
            let end = window.start + before.max(window.span());
            fill(&mut self.base, window.start..end, 0);
        }
    }

    /// Its pages are memory again.
    fn end(&mut self, named: usize) {
        let window = &mut self.windows[named];
        if window.open {
            window.open = false;
            fill(&mut self.base, window.start..window.start + window.span(), 0);
        }
    }

    fn has_token(&self, at: u64) -> bool {
        let Some(from) = at.checked_sub(FREE).map(|from| from as usize) else { return false };
        let memory = self.memory();
        memory.get(from..from + 8).is_some_and(|word| word == TOKEN.to_le_bytes())
    }

    /// What the guest sees of its memory.
    fn memory(&self) -> Vec<u8> {
        let mut memory = self.base.clone();
        for window in self.windows.iter().filter(|window| window.open) {
            let shown = window.lost.unwrap_or(window.span());
            for at in 0..shown {
                let byte = self.file.get((window.offset + at) as usize).copied().unwrap_or(0);
                if let Some(place) = memory.get_mut((window.start - FREE + at) as usize) {
                    *place = byte;
                }
            }
        }
        memory
    }
}

impl Window {
    fn has(&self, at: u64) -> bool {
        (self.start..self.start + self.span()).contains(&at)
            || (self.start..self.start + self.span()).contains(&(at + 7))
    }
}

/// The part of a range that is looked at.
fn fill(base: &mut [u8], range: std::ops::Range<u64>, byte: u8) {
    let end = (range.end.saturating_sub(FREE) as usize).min(base.len());
    let start = (range.start.saturating_sub(FREE) as usize).min(end);
    base[start..end].fill(byte);
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}
