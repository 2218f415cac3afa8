//! What is done with windows, in random order, and what must come of it.
//!
//! Generation 0 is what whoever restores the file writes. In a strict file, 1 and 2 are what this
//! store writes to pages of its own, by shared windows and by `pwrite`; and 3 is what it stores into
//! windows that are not shared, so that nothing else may ever show it.

mod change;
mod see;
mod show;

use crate::bindings::{Failed, Job, Report};
use crate::pane::{PAGE, Pane};
use fastrand::Rng;
use iommap_guest::{Error, Mapping};
use iommap_pattern::GENERATIONS;
use std::collections::BTreeMap;
use std::ops::Range;
use std::thread::sleep;
use std::time::Duration;

/// Any generation.
const ANY: u32 = (1 << GENERATIONS) - 1;

/// The one that stays in this guest.
const OWN: u32 = 3;

/// So many pages of wasm may be added to the guest's memory.
const GROWTH: usize = 256;

/// For about so long the file stays short.
const SHORT: Duration = Duration::from_millis(1);

/// The words of a page.
const NO_WORDS: [[u8; 8]; PAGE as usize / 8] = [[0; 8]; PAGE as usize / 8];

pub(crate) struct Looker {
    job: Job,
    random: Rng,
    report: Report,
    errors: BTreeMap<&'static str, u64>,
    /// Which generations each page of the file may have, one bit each: for the pages of this owner
    /// less than all.
    allowed: Vec<u32>,
    generation: u32,
    panes: Vec<Pane>,
    grown: usize,
}

impl Looker {
    pub(crate) fn new(job: Job) -> Looker {
        Looker {
            random: Rng::with_seed(job.seed),
            report: nothing(),
            errors: BTreeMap::new(),
            allowed: vec![ANY; job.pages as usize],
            generation: 1,
            panes: Vec::new(),
            grown: 0,
            job,
        }
    }

    pub(crate) fn run(&mut self) {
        while self.report.steps < self.job.steps {
            self.report.steps += 1;
            let mut options = Mapping::options();
            let opened = options.read(true).write(self.job.strict).open(self.job.path.as_str());
            let Some(mapping) = self.count(opened) else { continue };
            let Some(length) = self.count(mapping.len()) else { continue };
            // While it is short there is little to see, and soon it is whole again: until then others
            // have their turn.
            if length < self.job.pages * PAGE / 2 {
                sleep(SHORT);
                continue;
            }
            // Whole words.
            let length = length & !7;
            let any = self.in_file();
            self.allowed.fill(any);
            self.panes.iter_mut().for_each(|pane| pane.old = true);
            // Not for long: the file may be replaced, and then nobody cuts this one any more.
            let enough = self.report.steps + 5 + self.below(50);
            while self.report.steps < enough.min(self.job.steps) {
                self.report.steps += 1;
                if self.job.trap_after.is_some_and(|steps| self.report.steps >= steps) {
                    trap(self.job.seed);
                }
                self.step(&mapping, length);
            }
        }
    }

    /// What any page of the file may have.
    fn in_file(&self) -> u32 {
        if self.job.strict { ANY & !(1 << OWN) } else { ANY }
    }

    fn step(&mut self, mapping: &Mapping, length: u64) {
        match self.below(100) {
            0..=54 => self.with_pane(|this, pane| {
                // One that has lost a page shows nothing new until it is moved.
                let lost = this.sweep(pane);
                if lost {
                    this.lose_more(pane, mapping, length);
                }
                if lost || this.below(4) == 0 {
                    this.move_to(pane, mapping, length);
                }
            }),
            55..=61 => self.with_pane(Looker::read),
            62..=65 => self.with_pane(|this, pane| this.move_to(pane, mapping, length)),
            66..=71 => self.open(mapping, length),
            72..=73 => self.close(),
            74..=81 if self.job.strict => {
                self.with_pane(
                    |this, pane| {
                        if pane.shared { this.store(pane) } else { this.store_own(pane) }
                    },
                )
            }
            82..=85 => self.pread(mapping, length),
            86..=87 => self.with_pane(|this, pane| this.pread_into(pane, mapping, length)),
            88..=89 if self.job.strict => {
                self.with_pane(|this, pane| this.pwrite_from(pane, mapping));
            }
            90..=91 => self.with_pane(|this, pane| {
                let range = this.range(0..pane.window.len() as u64, 1);
                let done = pane.window.prefetch(range.start as usize..range.end as usize);
                this.count(done);
            }),
            92 => self.grow(),
            // Somewhere outside.
            93 => {
                let opened = mapping.window((length - 8, 16 + self.below(PAGE)));
                self.count(opened.map(drop));
            }
            _ => self.with_pane(|this, pane| _ = this.sweep(pane)),
        }
    }

    /// What came of it so far, which begins anew.
    pub(crate) fn take_report(&mut self) -> Report {
        let errors = std::mem::take(&mut self.errors).into_iter();
        let errors = errors.map(|(name, count)| Failed { name: name.into(), count }).collect();
        Report { errors, ..std::mem::replace(&mut self.report, nothing()) }
    }

    /// Works with a window, if there is one.
    fn with_pane(&mut self, work: impl FnOnce(&mut Looker, &mut Pane)) {
        if self.panes.is_empty() {
            return;
        }
        let index = self.random.usize(..self.panes.len());
        let mut pane = self.panes.swap_remove(index);
        work(self, &mut pane);
        self.panes.push(pane);
    }

    fn count<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        let count = |error: Error| *self.errors.entry(error.kind().name()).or_default() += 1;
        result.map_err(count).ok()
    }

    /// More memory, with something in it.
    fn grow(&mut self) {
        let more = self.random.usize(1..=4);
        if self.grown + more <= GROWTH {
            self.grown += more;
            #[cfg(target_arch = "wasm32")]
            core::arch::wasm32::memory_grow(0, more);
        }
        let used: Vec<Vec<u8>> = (0..4).map(|n| vec![n; self.random.usize(..100_000)]).collect();
        std::hint::black_box(used);
    }

    /// One word of a range.
    fn word_of(&mut self, range: Range<u64>) -> Range<u64> {
        let start = range.start + 8 * self.below((range.end - range.start) / 8);
        start..start + 8
    }

    /// A part of a range, of multiples of `unit`. Mostly a large one.
    fn range(&mut self, within: Range<u64>, unit: u64) -> Range<u64> {
        let units = (within.end - within.start) / unit;
        let start = self.below(units).min(self.below(units));
        let length = 1 + self.below(units - start);
        within.start + start * unit..within.start + (start + length) * unit
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.u64(..limit)
    }
}

fn nothing() -> Report {
    Report {
        steps: 0,
        opened: 0,
        moved: 0,
        loaded: 0,
        stored: 0,
        copied: 0,
        lost: 0,
        untold: 0,
        disagreed: 0,
        wrong: 0,
        first_wrong: None,
        errors: Vec::new(),
    }
}

/// By a load behind the end of memory, or without one.
fn trap(seed: u64) -> ! {
    if seed.is_multiple_of(2) {
        let address = std::hint::black_box(0xFFFF_FFF0_usize);
        // SAFETY: none, that is the point. A memory that is not 4 GiB large ends before this
        // address, so that the load traps; in one that is, nothing is at stake but this run.
        unsafe { std::ptr::read_volatile(address as *const u8) };
    }
    std::process::abort()
}
