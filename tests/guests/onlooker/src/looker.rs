//! What is done with windows, in random order, and what must come of it.
//!
//! Generation 0 is what whoever restores the file writes. In a strict file, 1 and 2 are what this
//! store writes to pages of its own, by shared windows and by `pwrite`; and 3 is what it stores into
//! windows that are not shared, so that nothing else may ever show it.

use crate::bindings::{Failed, Job, Report, Wrong};
use crate::pane::{PAGE, Pane};
use fastrand::Rng;
use iommap_guest::{Error, ErrorKind, Mapping, Window};
use iommap_pattern::{self as pattern, GENERATIONS};
use std::collections::BTreeMap;
use std::ops::Range;

/// Any generation.
const ANY: u32 = (1 << GENERATIONS) - 1;

/// The one that stays in this guest.
const OWN: u32 = 3;

/// So many pages of wasm may be added to the guest's memory.
const GROWTH: usize = 256;

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
            // While it is short there is little to see, and soon it is whole again.
            if length < self.job.pages * PAGE / 2 {
                continue;
            }
            let any = self.in_file();
            self.allowed.fill(any);
            self.panes.iter_mut().for_each(|pane| pane.old = true);
            let enough = self.report.steps + 20 + self.below(400);
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
                if this.sweep(pane) || this.below(4) == 0 {
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

    /// Looks at all windows there are, without a call of the host.
    pub(crate) fn look(&mut self) {
        let any = self.in_file();
        self.allowed.fill(any);
        for pane in &mut self.panes {
            pane.old = true;
        }
        let panes = std::mem::take(&mut self.panes);
        for pane in &panes {
            let pages: Vec<u64> = pane.pages().rev().collect();
            self.see(pane, &pages, true);
        }
        self.panes = panes;
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

    fn open(&mut self, mapping: &Mapping, length: u64) {
        if self.panes.len() == self.job.windows as usize {
            return;
        }
        let shared = self.job.strict && self.below(3) == 0;
        let mut options = Window::options();
        options.shared(shared).populate(self.below(4) == 0);
        let range = self.range(0..length, 8);
        if let Some(window) = self.count(options.open(mapping, range)) {
            self.report.opened += 1;
            self.panes.push(Pane { window, shared, own: false, old: false });
        }
    }

    fn close(&mut self) {
        if let Some(pane) = self.panes.pop() {
            if self.below(2) == 0 {
                self.count(pane.window.close());
            } else {
                drop(pane);
            }
        }
    }

    /// Moves a window, to the same place now and then.
    fn move_to(&mut self, pane: &mut Pane, mapping: &Mapping, length: u64) {
        let same = pane.start()..pane.end();
        let range = match self.below(2) {
            0 if same.end <= length => same,
            _ => {
                let start = self.range(0..length, 8).start;
                start..length.min(start + pane.window.len() as u64)
            }
        };
        if self.count(pane.window.move_to(mapping, range)).is_some() {
            self.report.moved += 1;
            (pane.own, pane.old) = (false, false);
        }
    }

    /// Looks at all pages of a window, and says whether one was lost. In one order or another: the
    /// further in front a lost page is that is touched, the more of the window becomes zeros with it.
    fn sweep(&mut self, pane: &mut Pane) -> bool {
        let mut pages: Vec<u64> = pane.pages().collect();
        match self.below(8) {
            0 => {}
            1 => self.random.shuffle(&mut pages),
            _ => pages.reverse(),
        }
        let whole = self.below(16) == 0;
        let lost = self.see(pane, &pages, whole);
        if let Some(by_host) = self.told(pane.window.check_by_host())
            && by_host != lost
        {
            self.report.disagreed += 1;
        }
        lost
    }

    /// Loads from pages of a window, and says whether one was lost.
    fn see(&mut self, pane: &Pane, pages: &[u64], whole: bool) -> bool {
        let (mut page, mut none) = (NO_WORDS, 0);
        for &number in pages {
            let part = pane.part(number);
            let part = if whole { part } else { self.word_of(part) };
            let words = &mut page[..(part.end - part.start) as usize / 8];
            pane.load(part.clone(), self.below(2) == 0, words);
            let bytes = words.as_flattened();
            none += zeros(bytes);
            self.report.loaded += self.verify(bytes, part.start, self.may_show(pane, number));
        }
        let lost = self.lost(pane);
        if self.job.strict && !lost {
            self.report.untold += none;
        }
        lost
    }

    /// What a page may show in a window.
    fn may_show(&self, pane: &Pane, page: u64) -> u32 {
        match (pane.own, pane.old) {
            (true, _) => ANY,
            (false, true) => self.in_file(),
            (false, false) => self.allowed[page as usize],
        }
    }

    /// Has the window lost a page?
    fn lost(&mut self, pane: &Pane) -> bool {
        self.told(pane.window.check()).unwrap_or_default()
    }

    /// What a check says.
    fn told(&mut self, checked: Result<(), Error>) -> Option<bool> {
        match checked {
            Ok(()) => Some(false),
            Err(error) if error == ErrorKind::Sigbus => {
                self.report.lost += 1;
                Some(true)
            }
            other => {
                self.count(other);
                None
            }
        }
    }

    /// Copies a part of a window, as most guests do.
    fn read(&mut self, pane: &mut Pane) {
        let range = self.range(0..pane.window.len() as u64, 1);
        let mut bytes = vec![0; (range.end - range.start).min(3 * PAGE) as usize];
        let read = pane.window.read_exact_at(range.start as usize, &mut bytes);
        if self.told(read) == Some(false) {
            let start = pane.start() + range.start;
            if self.job.strict {
                self.report.untold += zeros(&bytes);
            }
            let mut at = start;
            for piece in pieces(&bytes, start) {
                let allowed = self.may_show(pane, at / PAGE);
                self.report.loaded += self.verify(piece, at, allowed);
                at += piece.len() as u64;
            }
        }
    }

    /// Stores to a page of our own, in a window that is shared.
    fn store(&mut self, pane: &mut Pane) {
        let Some(page) = self.own_page(pane).filter(|_| !pane.old) else { return };
        self.generation = self.generation % 2 + 1;
        let generation = self.generation;
        self.allowed[page as usize] |= 1 << generation;
        let part = pane.part(page);
        self.fill(pane, part.clone(), generation);
        // If no page was lost, all of it has reached the file, and what was there is gone. Otherwise
        // it may be in the window alone.
        pane.own |= self.lost(pane);
        if !pane.own && part.end - part.start == PAGE {
            self.allowed[page as usize] = 1 | 1 << generation;
        }
        self.see(pane, &[page], true);
    }

    /// Stores anywhere in a window that is not.
    fn store_own(&mut self, pane: &mut Pane) {
        pane.own = true;
        let pages: Vec<u64> = pane.pages().collect();
        let page = pages[self.random.usize(..pages.len())];
        self.fill(pane, pane.part(page), OWN);
        self.see(pane, &[page], true);
    }

    /// Has the host copy to a window that is not shared, which moves away then.
    fn pread_into(&mut self, pane: &mut Pane, mapping: &Mapping, length: u64) {
        if pane.shared {
            return;
        }
        let to = pane.part(pane.pages().start);
        let from = self.range(0..length, 8);
        let from = from.start..from.end.min(from.start + (to.end - to.start));
        let to = to.start..to.start + (from.end - from.start);
        // SAFETY: nothing refers to it but this.
        let bytes = unsafe { pane.bytes(to.clone()) };
        let read = mapping.read_exact_at(from.start, bytes);
        if self.count(read).is_some() {
            let mut page = NO_WORDS;
            let words = &mut page[..(to.end - to.start) as usize / 8];
            pane.load(to.clone(), false, words);
            for (n, word) in (0..).map(|n| 8 * n).zip(&*words) {
                // In between, the file may have lost what was copied there, and have it back: then it
                // is the window's own bytes again.
                if pattern::wrong(word, to.start + n, ANY).is_some() {
                    let at = from.start + n;
                    self.report.copied += self.verify(word, at, self.allowed[(at / PAGE) as usize]);
                }
            }
        }
        self.move_to(pane, mapping, length);
    }

    /// Has the host copy from a window to a page of our own.
    fn pwrite_from(&mut self, pane: &mut Pane, mapping: &Mapping) {
        let Some(page) = self.own_page(pane).filter(|_| !pane.old) else { return };
        self.generation = self.generation % 2 + 1;
        let generation = self.generation;
        self.allowed[page as usize] |= 1 << generation;
        let part = pane.part(page);
        // All of it, so that no zeros are written which stood in a page that was lost.
        pane.own = true;
        self.fill(pane, part.clone(), generation);
        // SAFETY: nothing refers to it but this.
        let bytes = unsafe { pane.bytes(part.clone()) };
        let written = self.count(mapping.write_all_at(part.start, bytes)).is_some();
        if written && part.end - part.start == PAGE {
            self.allowed[page as usize] = 1 | 1 << generation;
        }
    }

    /// Stores a generation's words.
    fn fill(&mut self, pane: &mut Pane, part: Range<u64>, generation: u32) {
        let mut page = NO_WORDS;
        let words = &mut page[..(part.end - part.start) as usize / 8];
        for (index, word) in (part.start / 8..).zip(&mut *words) {
            *word = pattern::word(index, generation);
        }
        pane.store(part.clone(), words);
        self.report.stored += part.end - part.start;
    }

    /// Has the host copy from the file, as without windows.
    fn pread(&mut self, mapping: &Mapping, length: u64) {
        let range = self.range(0..length, 1);
        let mut bytes = vec![0; (range.end - range.start).min(2 * PAGE) as usize];
        if self.count(mapping.read_exact_at(range.start, &mut bytes)).is_none() {
            return;
        }
        // The host doesn't put zeros anywhere for it.
        if self.job.strict {
            self.report.untold += zeros(&bytes);
        }
        let mut at = range.start;
        for piece in pieces(&bytes, at) {
            self.report.copied += self.verify(piece, at, self.allowed[(at / PAGE) as usize]);
            at += piece.len() as u64;
        }
    }

    /// Counts bytes of one page that are wrong; returns how many are right. A zero may be a page that
    /// was lost.
    fn verify(&mut self, bytes: &[u8], offset: u64, allowed: u32) -> u64 {
        match pattern::wrong(bytes, offset, allowed) {
            None => bytes.len() as u64,
            Some((first, count)) => {
                self.report.wrong += count;
                let found = bytes[(first - offset) as usize];
                self.report.first_wrong.get_or_insert(Wrong { offset: first, found, allowed });
                bytes.len() as u64 - count
            }
        }
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

    /// A page of our own of which a window has a part.
    fn own_page(&mut self, pane: &Pane) -> Option<u64> {
        let pages = pane.pages();
        let (owner, owners) = (self.job.owner, self.job.owners);
        let own: Vec<u64> = pages.filter(|page| page % owners == owner).collect();
        self.random.choice(own)
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

/// Bytes of a file, in pieces that lie in one page each.
fn pieces(bytes: &[u8], offset: u64) -> impl Iterator<Item = &[u8]> {
    let first = ((PAGE - offset % PAGE) as usize).min(bytes.len());
    let (first, rest) = bytes.split_at(first);
    std::iter::once(first).chain(rest.chunks(PAGE as usize)).filter(|piece| !piece.is_empty())
}

fn zeros(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == 0).count() as u64
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
