//! The benchmark's guest as users write one: plain bindings with a `Vec` for each read, and the
//! crate `iommap-guest` with one buffer for all of them.

mod windows;

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "iommap:bench/guest",
        generate_all,
    });
    export!(Loops with_types_in self);
    use super::Loops;
}

use bindings::Guest;
use bindings::iommap::mmap::batch::{Range, pread_many};
use bindings::iommap::mmap::types::{AccessMode, Mapping, OpenFlags};
use std::cell::{OnceCell, RefCell};
use std::hint::black_box;

/// How many ranges one batched call has.
const BATCH: usize = 64;

thread_local! {
    static MAPPING: OnceCell<Mapping> = const { OnceCell::new() };
    /// The same file once more, by the crate.
    static BY_CRATE: OnceCell<iommap_guest::Mapping> = const { OnceCell::new() };
    static LAST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static DATA: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Loops;

/// Makes offsets: xorshift, or a step for a sequence. The host makes them likewise.
struct Offsets {
    x: u64,
    step: u64,
    mask: u64,
}

impl Offsets {
    fn next(&mut self) -> u64 {
        if self.step == 0 {
            self.x ^= self.x << 13;
            self.x ^= self.x >> 7;
            self.x ^= self.x << 17;
        } else {
            self.x = self.x.wrapping_add(self.step);
        }
        self.x & self.mask
    }
}

/// Runs `read` `count` times and keeps what the last one returned.
fn repeat(count: u32, mut read: impl FnMut() -> Vec<u8>) {
    for left in (0..count).rev() {
        let bytes = black_box(read());
        if left == 0 {
            LAST.set(bytes);
        }
    }
}

fn with_mapping<R>(run: impl FnOnce(&Mapping) -> R) -> R {
    MAPPING.with(|mapping| run(mapping.get().expect("opened first")))
}

impl Guest for Loops {
    fn open(path: String) {
        let options = OpenFlags::SHARED | OpenFlags::POPULATE;
        let mapping = Mapping::open(&path, AccessMode::ReadWrite, options, None).expect("opens");
        MAPPING.with(|cell| cell.set(mapping).expect("opened once"));
        let mut options = iommap_guest::Mapping::options();
        let mapping = options.read(true).populate(true).open(path).expect("opens");
        BY_CRATE.with(|cell| cell.set(mapping).expect("opened once"));
    }

    fn pread(count: u32, size: u32, mask: u64, step: u64, x: u64) -> u64 {
        let mut offsets = Offsets { x, step, mask };
        with_mapping(|mapping| {
            repeat(count, || mapping.pread(offsets.next(), size.into()).expect("reads"));
        });
        offsets.x
    }

    fn read_at(count: u32, size: u32, mask: u64, step: u64, x: u64) -> u64 {
        let mut offsets = Offsets { x, step, mask };
        let mut buffer = vec![0; size as usize];
        BY_CRATE.with(|mapping| {
            let mapping = mapping.get().expect("opened first");
            for _ in 0..count {
                let read = mapping.read_at(offsets.next(), black_box(&mut buffer)).expect("reads");
                assert_eq!(black_box(read), buffer.len());
            }
        });
        LAST.set(buffer);
        offsets.x
    }

    fn pread_and_copy(count: u32, size: u32, mask: u64, step: u64, x: u64) -> u64 {
        let mut offsets = Offsets { x, step, mask };
        let mut buffer = vec![0; size as usize];
        with_mapping(|mapping| {
            for _ in 0..count {
                let bytes = mapping.pread(offsets.next(), size.into()).expect("reads");
                black_box(&mut buffer).copy_from_slice(&bytes);
            }
        });
        LAST.set(buffer);
        offsets.x
    }

    fn pread_many(count: u32, size: u32, mask: u64, step: u64, x: u64) -> u64 {
        let mut offsets = Offsets { x, step, mask };
        let length = size.into();
        with_mapping(|mapping| {
            repeat(count, || {
                let ranges: [Range; BATCH] =
                    std::array::from_fn(|_| Range { offset: offsets.next(), length });
                pread_many(mapping, &ranges).expect("reads")
            });
        });
        offsets.x
    }

    fn pwrite(count: u32, size: u32, mask: u64, step: u64, x: u64) -> u64 {
        let mut offsets = Offsets { x, step, mask };
        with_mapping(|mapping| {
            DATA.with_borrow(|data| {
                let data = &data[..size as usize];
                for _ in 0..count {
                    mapping.pwrite(offsets.next(), data).expect("writes");
                }
            });
        });
        offsets.x
    }

    fn peek() -> Vec<u8> {
        LAST.take()
    }

    fn poke(data: Vec<u8>) {
        DATA.set(data);
    }
}
