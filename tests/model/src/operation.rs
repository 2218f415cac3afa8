//! The operations, and how a driver is told of them.

use iommap::{AccessMode, Advice, Change, LockMode, Range, SyncMode};
use std::fmt::Debug;

/// The files in the directory. The last does not exist at first.
pub const NAMES: [&str; 3] = ["a", "b", "c"];

/// How many mappings a guest keeps names for: one more than it may have open.
pub const SLOTS: usize = 5;

/// Something that is done to the files, or to mappings of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// By a guest, to the mapping that it keeps in a slot.
    Guest(usize, Call),
    /// By somebody else.
    Others(Others),
}

/// What a guest does to a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Into a slot, whose mapping is dropped first.
    Open(Open),
    /// `close`.
    Close,
    /// The handle goes, and the slot is empty.
    Drop,
    /// `pread(offset, length)`.
    Pread(u64, u64),
    /// `pwrite(offset, data)`.
    Pwrite(u64, Vec<u8>),
    /// `pread-many`.
    PreadMany(Vec<Range>),
    /// `pwrite-many`.
    PwriteMany(Vec<Range>, Vec<u8>),
    /// `sync`.
    Sync(SyncMode),
    /// `sync-range(offset, length, mode)`.
    SyncRange(u64, u64, SyncMode),
    /// `truncate(new-size)`.
    Truncate(u64),
    /// `advise(offset, length, hint)`.
    Advise(u64, u64, Advice),
    /// `position`.
    Position,
    /// `lock(offset, length, mode)`, which is tried once.
    Lock(Range, LockMode),
    /// `unlock(offset, length)`.
    Unlock(Range),
    /// `would-lock(offset, length, mode)`.
    WouldLock(Range, LockMode),
    /// `load`.
    Load(Word),
    /// `store(value)`.
    Store(Word, u64),
    /// `change(how, value)`.
    Change(Word, Change, u64),
    /// `compare-exchange(expected, replacement)`.
    CompareExchange(Word, u64, u64),
    /// `punch-hole`, `zero-range` or `allocate`.
    Storage(Storage, Range),
    /// `sync-entry`.
    SyncEntry,
    /// `read-up-to(offset, length)`.
    ReadUpTo(u64, u64),
    /// `read-strict(offset, length)`.
    ReadStrict(u64, u64),
    /// `changed`, without times.
    Changed,
}

/// A word of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// 64 bits, or else 32.
    pub wide: bool,
    /// Where it begins.
    pub offset: u64,
}

impl Word {
    /// In bytes.
    pub fn size(self) -> u64 {
        if self.wide { 8 } else { 4 }
    }

    /// As much of a value as it has bits for.
    pub fn cut(self, value: u64) -> u64 {
        if self.wide { value } else { value & u64::from(u32::MAX) }
    }
}

/// What becomes of a range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// `punch-hole`
    Hole,
    /// `zero-range`
    Zeros,
    /// `allocate`
    Blocks,
}

/// How a file is opened: the interface's options.
#[allow(missing_docs, reason = "named as in wit/iommap.wit")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// An index into [`NAMES`].
    pub name: usize,
    /// By the grant that allows reading only.
    pub read_only_grant: bool,
    pub access: AccessMode,
    pub shared: bool,
    pub private: bool,
    pub lock: bool,
    pub populate: bool,
    pub nocache: bool,
    pub create: bool,
    pub truncate: bool,
    pub exclusive: bool,
    pub size: Option<u64>,
}

impl Call {
    /// The call as `tests/guests/driver/src/lib.rs` wants it, of the mapping in a slot.
    pub fn command(&self, slot: usize) -> String {
        let (verb, rest) = match self {
            Call::Open(open) => ("open", format!("{} {}", open.path(), open.words())),
            Call::Close => ("close", String::new()),
            Call::Drop => ("drop", String::new()),
            Call::Position => ("position", String::new()),
            Call::Pread(offset, length) => ("pread", format!("{offset} {length}")),
            Call::Pwrite(offset, data) => ("pwrite", format!("{offset} {}", hex(data))),
            Call::PreadMany(list) => ("pread-many", words(list)),
            Call::PwriteMany(list, data) => {
                ("pwrite-many", format!("{} {}", words(list), hex(data)))
            }
            Call::Sync(mode) => ("sync", word(mode)),
            Call::SyncRange(offset, length, mode) => {
                ("sync-range", format!("{offset} {length} {}", word(mode)))
            }
            Call::Truncate(size) => ("truncate", size.to_string()),
            Call::Advise(offset, length, hint) => {
                ("advise", format!("{offset} {length} {}", word(hint)))
            }
            Call::Lock(Range { offset, length }, mode) => {
                ("lock", format!("{offset} {length} {} 0", word(mode)))
            }
            Call::Unlock(Range { offset, length }) => ("unlock", format!("{offset} {length}")),
            Call::WouldLock(Range { offset, length }, mode) => {
                ("would-lock", format!("{offset} {length} {}", word(mode)))
            }
            Call::Load(at) => ("load", place(*at)),
            Call::Store(at, value) => ("store", format!("{} {}", place(*at), at.cut(*value))),
            Call::Change(at, how, value) => {
                ("change", format!("{} {} {}", place(*at), word(how), at.cut(*value)))
            }
            Call::CompareExchange(at, expected, new) => {
                let values = [expected, new].map(|value| at.cut(*value).to_string());
                ("compare-exchange", format!("{} {}", place(*at), values.join(" ")))
            }
            Call::Storage(storage, Range { offset, length }) => {
                let verb = match storage {
                    Storage::Hole => "punch-hole",
                    Storage::Zeros => "zero-range",
                    Storage::Blocks => "allocate",
                };
                (verb, format!("{offset} {length}"))
            }
            Call::SyncEntry => ("sync-entry", String::new()),
            Call::ReadUpTo(offset, length) => ("read-up-to", format!("{offset} {length}")),
            Call::ReadStrict(offset, length) => ("read-strict", format!("{offset} {length}")),
            Call::Changed => ("changed", String::new()),
        };
        format!("{verb} m{slot} {rest}")
    }
}

/// The interface's word for a mode or a hint.
fn word(value: &impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn place(Word { wide, offset }: Word) -> String {
    format!("{} {offset}", if wide { 64 } else { 32 })
}

fn words(list: &[Range]) -> String {
    let list: Vec<String> =
        list.iter().map(|range| format!("{}+{}", range.offset, range.length)).collect();
    if list.is_empty() { "-".to_owned() } else { list.join(",") }
}

fn hex(data: &[u8]) -> String {
    data.iter().fold("hex:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Open {
    /// As it is, with no options.
    pub fn plain(name: usize, access: AccessMode) -> Open {
        Open {
            name,
            read_only_grant: false,
            access,
            shared: false,
            private: false,
            lock: false,
            populate: false,
            nocache: false,
            create: false,
            truncate: false,
            exclusive: false,
            size: None,
        }
    }

    /// The path, by the one grant or the other.
    pub fn path(&self) -> String {
        format!("/{}/{}", if self.read_only_grant { "r" } else { "d" }, NAMES[self.name])
    }

    fn words(&self) -> String {
        let access = match self.access {
            AccessMode::Read => "read",
            AccessMode::Write => "write",
            AccessMode::ReadWrite => "read-write",
        };
        let flags = [
            ("shared", self.shared),
            ("private", self.private),
            ("lock", self.lock),
            ("populate", self.populate),
            ("nocache", self.nocache),
            ("create", self.create),
            ("truncate", self.truncate),
            ("exclusive", self.exclusive),
        ];
        let set: Vec<&str> =
            flags.into_iter().filter_map(|(name, set)| set.then_some(name)).collect();
        let set = if set.is_empty() { "-".to_owned() } else { set.join(",") };
        let size = self.size.map_or(String::new(), |size| format!(" size={size}"));
        format!("{access} {set}{size}")
    }

    /// Does it ask for what may change a file's name or contents?
    pub fn changes(&self) -> bool {
        self.create || self.truncate || self.exclusive
    }

    /// Do the options contradict each other, whatever the file?
    pub fn contradicts_itself(&self) -> bool {
        (self.shared && self.private)
            || (self.exclusive && !self.create)
            || (self.changes() && self.access == AccessMode::Read)
    }
}

/// What somebody else does to the files, each an index into [`NAMES`]. Where there is no such
/// file, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// Writes to a file, which may make it longer.
    Write(usize, u64, Vec<u8>),
    /// Cuts or grows it.
    SetLength(usize, u64),
    /// Takes the blocks out of a range.
    Punch(usize, u64, u64),
    /// Gives it another name, which may have been another's.
    Rename(usize, usize),
    /// Takes its name away.
    Unlink(usize),
    /// Puts a new file in its place.
    Replace(usize, Vec<u8>),
}
