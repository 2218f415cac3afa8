//! The files and mappings there are, and what others do to them.

use crate::file::{Cell, File, UNKNOWN};
use crate::lock::Held;
use crate::operation::{NAMES, Others, SLOTS};
use crate::page;
use iommap::{AccessMode, Limits};
use std::collections::BTreeMap;

/// What must come of an operation: an answer, or the error's name in `wit/iommap.wit`.
pub type Expected = Result<Answer, &'static str>;

/// What a call that succeeds returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// A number.
    Number(u64),
    /// Bytes, some of them perhaps unknown.
    Bytes(Vec<Cell>),
    /// What came of trying to lock.
    Locked(bool),
    /// Whether a lock could be had.
    Would(bool),
    /// A word, of which bytes may be unknown.
    Word(Vec<Cell>),
    /// What has become of a file: its length and differences, as the driver says them.
    State(String),
    /// Nothing, or this error: it depends on the file system.
    NothingOr(&'static str),
}

/// A mapping, open or closed.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    pub(crate) file: usize,
    /// The name that it was opened by.
    pub(crate) name: usize,
    pub(crate) access: AccessMode,
    pub(crate) private: bool,
    /// The mapping's size; `None` once closed.
    pub(crate) length: Option<u64>,
    /// A private mapping's own pages: those that were written to.
    pub(crate) own: BTreeMap<u64, Vec<Cell>>,
    /// Something was written to a private mapping.
    pub(crate) written: bool,
    /// The file was cut in front of the mapping's last page; `None` if that is not known.
    pub(crate) cut: Option<bool>,
    /// The ranges that it has locked.
    pub(crate) locks: Vec<Held>,
}

impl Mapped {
    /// The file has so many pages now, and no more.
    pub(crate) fn cut_to(&mut self, pages: u64) {
        self.own.retain(|index, _| *index < pages);
        if self.length.is_some_and(|length| length.div_ceil(page()) > pages) {
            self.cut = Some(true);
        }
    }
}

/// What there is: files, names for them, and one guest's mappings.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) limits: Limits,
    pub(crate) files: Vec<File>,
    pub(crate) names: [Option<usize>; NAMES.len()],
    pub(crate) slots: [Option<Mapped>; SLOTS],
    pub(crate) faults: u64,
}

impl Model {
    /// A guest without mappings, and a directory with files of these contents.
    pub fn new(limits: Limits, contents: &[Option<Vec<u8>>; NAMES.len()]) -> Model {
        let mut model = Model {
            limits,
            files: Vec::new(),
            names: [None; NAMES.len()],
            slots: [const { None }; SLOTS],
            faults: 0,
        };
        for (name, contents) in contents.iter().enumerate() {
            if let Some(contents) = contents {
                model.names[name] = Some(model.add(File::new(contents)));
            }
        }
        model
    }

    /// What a file of this name must contain; `None` if there must be none.
    pub fn contents(&self, name: usize) -> Option<&[Cell]> {
        Some(self.files[self.names[name]?].contents())
    }

    /// Mappings that are open, the bytes that they map, and the faults that they met so far.
    pub fn used(&self) -> (u64, u64, u64) {
        let lengths = self.slots.iter().flatten().filter_map(|mapped| mapped.length);
        (lengths.clone().count() as u64, lengths.sum(), self.faults)
    }

    /// The ranges that are locked.
    pub fn locks(&self) -> u64 {
        self.slots.iter().flatten().map(|mapped| mapped.locks.len() as u64).sum()
    }

    /// The slot of this number, or else the next one that has a mapping, preferably an open one.
    /// The first slot is good enough when its mapping is closed.
    pub fn aim(&self, slot: usize) -> Option<usize> {
        let from_here = || (slot..slot + SLOTS).map(|slot| slot % SLOTS);
        let open = |mapped: &Mapped| mapped.length.is_some();
        let serves =
            |slot: &usize| self.slots[*slot].as_ref().is_some_and(|m| *slot == 0 || open(m));
        from_here().find(serves).or_else(|| from_here().find(|slot| self.holds(*slot)))
    }

    /// Is there a mapping in this slot, open or closed?
    pub fn holds(&self, slot: usize) -> bool {
        self.slots[slot].is_some()
    }

    pub(crate) fn add(&mut self, file: File) -> usize {
        self.files.push(file);
        self.files.len() - 1
    }

    /// Somebody else does something to the files.
    pub fn others(&mut self, operation: &Others) {
        match operation {
            Others::Write(name, at, bytes) => {
                if let Some(file) = self.names[*name] {
                    self.files[file].write(*at, bytes);
                }
            }
            Others::SetLength(name, length) => {
                if let Some(file) = self.names[*name] {
                    self.set_len(file, *length);
                }
            }
            Others::Punch(name, at, length) => {
                if let Some(file) = self.names[*name] {
                    self.files[file].punch(*at, *length);
                }
            }
            Others::Rename(from, to) => {
                if from != to && self.names[*from].is_some() {
                    self.names[*to] = self.names[*from].take();
                }
            }
            Others::Unlink(name) => self.names[*name] = None,
            Others::Replace(name, contents) => {
                self.names[*name] = Some(self.add(File::new(contents)));
            }
        }
    }

    /// Cuts or grows a file. A page that goes takes a private mapping's copy of it along: that
    /// is what Linux does, and POSIX leaves open.
    pub(crate) fn set_len(&mut self, file: usize, length: u64) {
        self.files[file].set_len(length);
        let pages = self.files[file].pages();
        for mapped in self.mappings_of(file) {
            mapped.cut_to(pages);
        }
    }

    /// Makes every byte of a file zero and gives it a length. Whether a private mapping keeps
    /// its copies of pages that stay depends on the file system: nobody knows what they hold.
    pub(crate) fn empty(&mut self, file: usize, length: u64) {
        if self.files[file].len() == 0 {
            return self.set_len(file, length);
        }
        self.set_len(file, length);
        let cells = self.files[file].len();
        self.files[file].punch(0, cells);
        for mapped in self.mappings_of(file) {
            for cells in mapped.own.values_mut() {
                cells.fill(UNKNOWN);
            }
            mapped.cut = mapped.cut.filter(|cut| *cut);
        }
    }

    fn mappings_of(&mut self, file: usize) -> impl Iterator<Item = &mut Mapped> {
        self.slots.iter_mut().flatten().filter(move |mapped| mapped.file == file)
    }

    /// Is there a page for every byte of the range?
    pub(crate) fn backed(&self, mapped: &Mapped, offset: u64, length: u64) -> bool {
        let pages = self.files[mapped.file].pages();
        touched(offset, length).all(|index| index < pages)
    }

    /// What a mapping shows of a range, all of whose pages are there.
    pub(crate) fn read(&self, mapped: &Mapped, offset: u64, length: u64) -> Vec<Cell> {
        let file = &self.files[mapped.file];
        let mut cells = Vec::with_capacity(length as usize);
        for index in touched(offset, length) {
            let page_cells = mapped.own.get(&index).map_or(file.page(index), Vec::as_slice);
            let start = offset.max(index * page()) - index * page();
            let end = (offset + length).min((index + 1) * page()) - index * page();
            cells.extend_from_slice(&page_cells[start as usize..end as usize]);
        }
        cells
    }
}

/// The pages of a range.
pub(crate) fn touched(offset: u64, length: u64) -> std::ops::Range<u64> {
    if length == 0 { 0..0 } else { offset / page()..(offset + length).div_ceil(page()) }
}
