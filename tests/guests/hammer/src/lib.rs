//! Reads and writes one file as fast as it can, in every way there is, and checks every byte
//! that it reads. What it may find there is in `tests/pattern`.

mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)] // generated
    wit_bindgen::generate!({
        path: ["../../../wit", "wit"],
        world: "iommap:test/hammer",
        generate_all,
    });
}

use bindings::iommap::mmap::batch::{Range, pread_many, pwrite_many};
use bindings::iommap::mmap::types::{AccessMode, Advice, ErrorCode, Mapping, OpenFlags, SyncMode};
use bindings::{Job, Report, Wrong, faults};
use fastrand::Rng;
use iommap_pattern::{self as pattern, GENERATIONS};

const PAGE: u64 = 4096;

/// Every generation.
const ANY: u32 = (1 << GENERATIONS) - 1;

struct Guest;

bindings::export!(Guest with_types_in bindings);

impl bindings::Guest for Guest {
    fn run(job: Job) -> Report {
        Hammer::new(job).run()
    }
}

struct Hammer {
    job: Job,
    random: Rng,
    report: Report,
    /// Which generations each page may have, one bit each: for the pages of this owner less
    /// than all.
    allowed: Vec<u32>,
    generation: u32,
}

impl Hammer {
    fn new(job: Job) -> Hammer {
        let report = Report {
            calls: 0,
            verified: 0,
            wrong: 0,
            first_wrong: None,
            errors: vec![0; 16],
            at_open: 0,
            at_open_untold: 0,
        };
        let allowed = vec![ANY; job.pages as usize];
        Hammer { random: Rng::with_seed(job.seed), report, allowed, generation: 0, job }
    }

    fn run(mut self) -> Report {
        while self.report.calls < self.job.calls {
            if self.job.grow {
                self.grow();
                continue;
            }
            let flags = if self.job.private { OpenFlags::PRIVATE } else { OpenFlags::SHARED };
            let before = faults();
            let opened = Mapping::open(&self.job.path, AccessMode::ReadWrite, flags, None);
            let at_open = faults() - before;
            let Some(mapping) = self.count(opened) else { continue };
            if at_open > 0 {
                self.cut_at_open(&mapping, at_open);
            }
            // What others, or this store's predecessor, wrote to this file is not known.
            self.allowed.fill(ANY);
            self.use_mapping(&mapping);
            if self.below(2) == 0 {
                let closed = mapping.close();
                self.count(closed);
            }
        }
        self.report
    }

    /// The file was cut in the instant in which a private mapping of it was made: whoever writes to that
    /// is told by `sync`.
    fn cut_at_open(&mut self, mapping: &Mapping, faults: u64) {
        self.report.at_open += faults;
        let mut byte = [0];
        pattern::fill(&mut byte, 0, 0);
        let written = mapping.pwrite(0, &byte);
        self.count(written);
        self.report.calls += 1;
        match mapping.sync_range(0, 1, SyncMode::Async) {
            Err(ErrorCode::Sigbus) => {}
            _ => self.report.at_open_untold += faults,
        }
    }

    /// Makes the file a little longer, whoever else adds to it meanwhile.
    fn grow(&mut self) {
        let open =
            |size| Mapping::open(&self.job.path, AccessMode::ReadWrite, OpenFlags::SHARED, size);
        let now = open(None);
        let length = now.and_then(|mapping| mapping.position());
        let size = length.map(|length| length + 1 + self.random.u64(..3 * PAGE));
        // No more than a few times what is appended to it.
        let size = size.map(|size| size.min(4 * self.job.pages * PAGE));
        let last = size.and_then(|size| open(Some(size))?.pread(size - 1, 1));
        self.count(last);
        self.report.calls += 3;
    }

    /// Works with one mapping for a while.
    fn use_mapping(&mut self, mapping: &Mapping) {
        let enough = self.report.calls + 200 + self.below(4000);
        while self.report.calls < enough.min(self.job.calls) {
            if self.job.trap_after.is_some_and(|calls| self.report.calls >= calls) {
                trap();
            }
            match self.below(100) {
                0..=54 => self.read(mapping),
                55..=79 => self.write(mapping),
                80..=87 => self.read_many(mapping),
                88..=93 => self.write_many(mapping),
                // Rarely, since it mends what others break. The mapping may have been made while
                // the file was short.
                94 if self.below(16) == 0 => {
                    let done = mapping.truncate(self.job.pages * PAGE);
                    self.count(done);
                }
                // Of a private one it may say that written pages are lost, which is no fault.
                95 if !self.job.private => {
                    let (offset, length) = self.range(16 * PAGE);
                    let done = mapping.sync_range(offset, length, SyncMode::Async);
                    self.count(done);
                }
                96 => {
                    let (offset, length) = self.range(16 * PAGE);
                    let done = mapping.advise(offset, length, Advice::Willneed);
                    self.count(done);
                }
                97 => {
                    let (offset, length) = self.range(16 * PAGE);
                    let done = mapping.advise(offset, length, Advice::Dontneed);
                    self.count(done);
                }
                98 => {
                    let size = mapping.position();
                    self.count(size);
                }
                // Somewhere outside.
                _ => {
                    let read = mapping.pread(u64::MAX - self.below(PAGE), 1 + self.below(PAGE));
                    self.count(read);
                }
            }
        }
    }

    fn read(&mut self, mapping: &Mapping) {
        let most = if self.below(3) == 0 { 3 * PAGE } else { 96 };
        let (offset, length) = self.range(most);
        if let Some(bytes) = self.count(mapping.pread(offset, length)) {
            self.verify(&bytes, offset);
        }
    }

    fn read_many(&mut self, mapping: &Mapping) {
        let ranges: Vec<Range> = (0..1 + self.below(12))
            .map(|_| {
                let (offset, length) = self.range(400);
                Range { offset, length }
            })
            .collect();
        if let Some(bytes) = self.count(pread_many(mapping, &ranges)) {
            let mut rest = bytes.as_slice();
            for range in ranges {
                let (piece, after) = rest.split_at(range.length as usize);
                self.verify(piece, range.offset);
                rest = after;
            }
        }
    }

    /// Writes a page of our own, mostly all of it.
    fn write(&mut self, mapping: &Mapping) {
        let page = self.own_page();
        let (start, end) = if self.below(4) == 0 {
            let start = self.below(PAGE);
            (start, start + 1 + self.below(PAGE - start))
        } else {
            (0, PAGE)
        };
        let generation = self.next_generation();
        let mut bytes = vec![0; (end - start) as usize];
        pattern::fill(&mut bytes, page * PAGE + start, generation);
        let written = self.count(mapping.pwrite(page * PAGE + start, &bytes)).is_some();
        self.wrote(page, generation, written && end - start == PAGE);
    }

    fn write_many(&mut self, mapping: &Mapping) {
        let generation = self.next_generation();
        let pages: Vec<u64> = (0..1 + self.below(4)).map(|_| self.own_page()).collect();
        let ranges: Vec<Range> =
            pages.iter().map(|page| Range { offset: page * PAGE, length: PAGE }).collect();
        let mut bytes = vec![0; pages.len() * PAGE as usize];
        for (page, piece) in pages.iter().zip(bytes.chunks_mut(PAGE as usize)) {
            pattern::fill(piece, page * PAGE, generation);
        }
        let written = self.count(pwrite_many(mapping, &ranges, &bytes)).is_some();
        for page in pages {
            self.wrote(page, generation, written);
        }
    }

    /// Remembers what a page of our own may hold from now on. Others write generation 0 to any.
    fn wrote(&mut self, page: u64, generation: u32, all_of_it: bool) {
        let allowed = &mut self.allowed[page as usize];
        if all_of_it && !self.job.private {
            *allowed = 1;
        }
        *allowed |= 1 << generation;
    }

    fn verify(&mut self, bytes: &[u8], offset: u64) {
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let until_next_page = (PAGE - at % PAGE) as usize;
            let (piece, after) = rest.split_at(until_next_page.min(rest.len()));
            let allowed = self.allowed[(at / PAGE) as usize];
            match pattern::wrong(piece, at, allowed) {
                None => self.report.verified += piece.len() as u64,
                Some((first, count)) => {
                    self.report.wrong += count;
                    let found = piece[(first - at) as usize];
                    self.report.first_wrong.get_or_insert(Wrong { offset: first, found, allowed });
                }
            }
            at += piece.len() as u64;
            rest = after;
        }
    }

    fn count<T>(&mut self, result: Result<T, ErrorCode>) -> Option<T> {
        self.report.calls += 1;
        result.map_err(|error| self.report.errors[kind(&error)] += 1).ok()
    }

    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation % (GENERATIONS - 1) + 1;
        self.generation
    }

    fn own_page(&mut self) -> u64 {
        let page = self.below(self.job.pages);
        let page = page - page % self.job.owners + self.job.owner;
        if page < self.job.pages { page } else { self.job.owner }
    }

    /// A range of the whole file, not longer than `most`.
    fn range(&mut self, most: u64) -> (u64, u64) {
        let offset = self.below(self.job.pages * PAGE);
        let length = 1 + self.below(most);
        (offset, length.min(self.job.pages * PAGE - offset))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.u64(..limit)
    }
}

fn kind(error: &ErrorCode) -> usize {
    match error {
        ErrorCode::Badarg => 0,
        ErrorCode::Enomem => 1,
        ErrorCode::Enoent => 2,
        ErrorCode::Eacces => 3,
        ErrorCode::Closed => 4,
        ErrorCode::OutOfBounds => 5,
        ErrorCode::Sigbus => 6,
        ErrorCode::Eexist => 7,
        ErrorCode::Enotreg => 8,
        ErrorCode::Enospc => 9,
        ErrorCode::Efbig => 10,
        ErrorCode::Emfile => 11,
        ErrorCode::LimitExceeded => 12,
        ErrorCode::Enotsup => 13,
        ErrorCode::Eio => 14,
        ErrorCode::Other(_) => 15,
    }
}

fn trap() -> ! {
    let address = std::hint::black_box(0xFFFF_FFF0_usize);
    // SAFETY: none, that is the point. A memory that is not 4 GiB large ends before this address,
    // so that the load traps; in one that is, nothing is at stake but this run.
    unsafe { std::ptr::read_volatile(address as *const u8) };
    unreachable!("a load behind the end of memory did not trap");
}
