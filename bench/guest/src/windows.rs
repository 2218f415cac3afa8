//! The loops with windows: what `bench/src/windows/native.rs` does natively, with the same sums.

use crate::Loops;
use crate::bindings::exports::iommap::bench::windows::{Guest, Task};
use iommap_guest::{Mapping, Window, Windows};
use mmdb::{Cache, Database, Mapped, Source, Value};
use std::cell::RefCell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

/// How many records are kept decoded.
const RECORDS: usize = 64 << 10;

/// Where databases have the country's code.
const PATHS: [&[&str]; 3] =
    [&["country_code"], &["country", "iso_code"], &["registered_country", "iso_code"]];

/// What is open.
struct There {
    mapping: Mapping,
    window: Option<Window>,
    sliding: Windows<Mapping>,
    crowd: Vec<Window>,
}

/// A database of countries, opened in two ways.
struct Countries {
    near: Database<Mapped>,
    far: Database<Mapping>,
    cache: Cache,
}

thread_local! {
    static COUNTRIES: RefCell<Option<Countries>> = const { RefCell::new(None) };
    static THERE: RefCell<Option<There>> = const { RefCell::new(None) };
}

fn with<R>(run: impl FnOnce(&mut There) -> R) -> R {
    THERE.with_borrow_mut(|there| run(there.as_mut().expect("opened first")))
}

impl Guest for Loops {
    fn open(path: String, window: u64) {
        let open = || Mapping::open(path.as_str()).expect("opens");
        let mapping = open();
        let window = (window > 0).then(|| mapping.window((0, window)).expect("a window"));
        let sliding = Windows::new(open());
        THERE.set(Some(There { mapping, window, sliding, crowd: Vec::new() }));
    }

    fn open_database(path: String) {
        let open = || Mapping::open(path.as_str()).expect("opens");
        let near = Database::open(Mapped::with_window(open())).expect("a database");
        assert!(near.source().has_window());
        let far = Database::open(open()).expect("a database");
        COUNTRIES.set(Some(Countries { near, far, cache: Cache::new(RECORDS) }));
    }

    fn crowd(count: u32) {
        with(|there| {
            let open = |_| there.mapping.window((0, 64 << 10)).expect("a window");
            there.crowd = (0..count).map(open).collect();
        });
    }

    fn run(task: Task, count: u32, size: u32, mask: u64, seed: u64) -> u64 {
        let countries = |look: fn(&mut Countries, u32, u64) -> u64| {
            COUNTRIES
                .with_borrow_mut(|there| look(there.as_mut().expect("opened first"), count, seed))
        };
        match task {
            Task::Lookup => countries(|Countries { near, cache, .. }, count, seed| {
                lookups(near, cache, count, seed)
            }),
            Task::PreadLookup => countries(|Countries { far, cache, .. }, count, seed| {
                lookups(far, cache, count, seed)
            }),
            _ => with(|there| there.run(task, count, size as usize, mask, seed)),
        }
    }

    fn touch(offset: u64) -> u64 {
        with(|there| there.load(offset as usize))
    }

    fn renew() {
        with(|There { mapping, window, .. }| {
            let window = window.as_mut().expect("a window");
            let length = window.len() as u64;
            window.move_to(mapping, (0, length)).expect("moves");
        });
    }
}

impl There {
    fn window(&self) -> &Window {
        self.window.as_ref().expect("a window")
    }

    #[inline]
    fn load(&self, offset: usize) -> u64 {
        let window = self.window();
        assert!(offset + 8 <= window.len());
        // SAFETY: inside the window.
        unsafe { window.as_ptr().add(offset).cast::<u64>().read_unaligned() }
    }

    fn run(&mut self, task: Task, count: u32, size: usize, mask: u64, mut x: u64) -> u64 {
        let mut sum = 0u64;
        let mut buffer = [0; 64];
        match task {
            Task::Load => {
                let window = self.window();
                let start = window.as_ptr();
                assert!(mask as usize + 8 <= window.len());
                for _ in 0..count {
                    let offset = (next(&mut x) & mask) as usize;
                    // SAFETY: inside the window.
                    let word = unsafe { start.add(offset).cast::<u64>().read_unaligned() };
                    sum = sum.wrapping_add(word);
                }
            }
            Task::Number => {
                let window = self.window();
                for _ in 0..count {
                    let word = window.u64_le_at((next(&mut x) & mask) as usize).expect("reads");
                    sum = sum.wrapping_add(word);
                }
            }
            Task::Pread => {
                for _ in 0..count {
                    let word = self.mapping.read_array(next(&mut x) & mask).expect("reads");
                    sum = sum.wrapping_add(u64::from_le_bytes(word));
                }
            }
            Task::Copy => {
                let window = self.window();
                for _ in 0..count {
                    let offset = (next(&mut x) & mask) as usize;
                    window.read_exact_at(offset, &mut buffer).expect("reads");
                    sum = sum.wrapping_add(words(black_box(&buffer)));
                }
            }
            Task::PreadCopy => {
                for _ in 0..count {
                    self.mapping.read_exact_at(next(&mut x) & mask, &mut buffer).expect("reads");
                    sum = sum.wrapping_add(words(black_box(&buffer)));
                }
            }
            Task::Pass => {
                for _ in 0..count {
                    sum = sum.wrapping_add(words_of(self.window()));
                }
            }
            Task::PreadPass => {
                let mut piece = vec![0; size];
                let length = self.window().len() as u64;
                for _ in 0..count {
                    for offset in (0..length).step_by(size) {
                        self.mapping.read_exact_at(offset, &mut piece).expect("reads");
                        sum = sum.wrapping_add(words(&piece));
                    }
                }
            }
            Task::Once => {
                for _ in 0..count {
                    let range = (next(&mut x) & mask, size as u64);
                    let window = self.mapping.window(range).expect("a window");
                    sum = sum.wrapping_add(words_of(&window));
                }
            }
            Task::PreadOnce => {
                let mut bytes = vec![0; size];
                for _ in 0..count {
                    self.mapping.read_exact_at(next(&mut x) & mask, &mut bytes).expect("reads");
                    sum = sum.wrapping_add(words(&bytes));
                }
            }
            Task::Slide => {
                let windows = &self.sliding;
                sum = slide(count, size, mask, x, windows.mapping(), |offset, buffer| {
                    windows.read_exact_at(offset, buffer).expect("reads");
                });
            }
            Task::PreadSlide => {
                let mapping = &self.mapping;
                sum = slide(count, size, mask, x, mapping, |offset, buffer| {
                    mapping.read_exact_at(offset, buffer).expect("reads");
                });
            }
            Task::Lookup | Task::PreadLookup => unreachable!("they are about the database"),
        }
        sum
    }
}

/// Makes the next offset: xorshift. The host makes it likewise.
#[inline(always)]
fn next(x: &mut u64) -> u64 {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    *x
}

/// The sum of all whole words.
fn words(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; 4];
    // Unrolled: a pass is to wait for memory, not for the loop.
    let (pieces, rest) = bytes.as_chunks::<128>();
    for piece in pieces {
        for part in piece.as_chunks::<32>().0 {
            for (sum, word) in sums.iter_mut().zip(part.as_chunks::<8>().0) {
                *sum = sum.wrapping_add(u64::from_le_bytes(*word));
            }
        }
    }
    let (rest, _) = rest.as_chunks::<8>();
    let rest = rest.iter().map(|word| u64::from_le_bytes(*word));
    sums.into_iter().chain(rest).fold(0, u64::wrapping_add)
}

/// The sum of all words of a window, with a look at its end whether a page was lost.
fn words_of(window: &Window) -> u64 {
    // SAFETY: nobody changes the file meanwhile.
    let sum = words(unsafe { window.as_slice() });
    window.check().expect("no page was lost");
    sum
}

/// Reads 64 bytes at random in a place of the file, which moves after `stay` reads.
#[inline(always)]
fn slide(
    count: u32,
    stay: usize,
    mask: u64,
    mut x: u64,
    mapping: &Mapping,
    read: impl Fn(u64, &mut [u8; 64]),
) -> u64 {
    let places = mapping.len().expect("its length") - mask - 64;
    let (mut buffer, mut sum, mut place, mut left) = ([0; 64], 0u64, 0, stay);
    for _ in 0..count {
        if stay > 0 {
            if left == stay {
                place = (next(&mut x) % places) & !63;
                left = 0;
            }
            left += 1;
        }
        read(place + (next(&mut x) & mask), &mut buffer);
        sum = sum.wrapping_add(words(black_box(&buffer)));
    }
    sum
}

/// Looks up the countries of addresses at random, and returns how many have one.
fn lookups<S: Source>(database: &Database<S>, cache: &mut Cache, count: u32, mut x: u64) -> u64
where
    S::Error: std::fmt::Debug,
{
    let mut found = 0;
    for _ in 0..count {
        let address = IpAddr::V4(Ipv4Addr::from_bits((next(&mut x) >> 16) as u32));
        if let Some(record) = database.lookup(address).expect("looks up").record {
            let record = cache.value(database, record).expect("a record");
            let country = PATHS.iter().find_map(|path| record.at(path)).and_then(Value::as_str);
            found += u64::from(black_box(country).is_some());
        }
    }
    found
}
