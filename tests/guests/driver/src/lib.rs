//! Does to mappings what the tests tell it, one command line at a time.
//!
//! Mappings have names. The answer is `ok` with what came back, `err` with the error's name as in
//! `iommap.wit` (for `other` also the host's words), or `bad` with a reason if the command itself
//! makes no sense.
//!
//! ```text
//! open NAME PATH MODE [OPTIONS] [size=N]    MODE read, write or read-write; OPTIONS such as
//!                                           shared,create or - for none
//! wasi-open FD PATH FLAGS                   opens a descriptor of WASI's. FLAGS read, write,
//!                                           create, truncate or directory, with commas
//! wasi-drop FD                              forgets the name too
//! map NAME FD MODE [OPTIONS] [size=N]       as open does, but of a descriptor
//! std PATH MODE [private] [size=N] [OTHER]  opens a file with std, puts the file OTHER in its place,
//!                                           maps what it opened, and answers as pread does
//! map-stale NAME MODE                       of a handle that names no descriptor
//! close NAME                                `closed` can be provoked afterwards
//! drop NAME                                 forgets the name too
//! pread NAME OFFSET LENGTH                  ok hex:.. up to 64 bytes, else ok len=N fnv=HASH
//! pwrite NAME OFFSET DATA
//! pread-many NAME RANGES                    answers as pread does
//! pwrite-many NAME RANGES DATA
//! sync NAME sync|async
//! sync-range NAME OFFSET LENGTH sync|async
//! truncate NAME SIZE
//! advise NAME OFFSET LENGTH HINT            normal, random, sequential, willneed or dontneed
//! position NAME                             ok SIZE
//! lock NAME OFFSET LENGTH MODE WAIT         MODE shared or exclusive; WAIT in milliseconds, or - for as
//!                                           long as it takes; asks again where it is told to: ok
//!                                           locked, ok busy or ok deadlock
//! unlock NAME OFFSET LENGTH
//! would-lock NAME OFFSET LENGTH MODE        ok true or ok false
//! load NAME BITS OFFSET                     ok WORD; BITS 32 or 64
//! store NAME BITS OFFSET VALUE
//! change NAME BITS OFFSET HOW VALUE         ok WORD, as it was; HOW add, and, or, xor or exchange
//! compare-exchange NAME BITS OFFSET EXPECTED NEW
//!                                           ok WORD, as it was
//! wait NAME OFFSET EXPECTED TIME            TIME as for lock: ok woken, ok not-equal or ok timed-out
//! notify NAME OFFSET COUNT                  ok N, how many
//! changed NAME                              ok LENGTH WHAT: shorter, longer, replaced and gone, with
//!                                           commas, or - for none
//! modified NAME                             ok true or ok false
//! file-length NAME                          ok LENGTH
//! read-up-to NAME OFFSET LENGTH             answers as pread does
//! read-strict NAME OFFSET LENGTH            answers as pread does
//! remap NAME NEW                            NEW is a name for what the path names now
//! know NAME                                 remembers what is known of the file
//! wait-for-change NAME TIME                 of what is known, TIME as for lock: ok same, or as changed
//! punch-hole NAME OFFSET LENGTH
//! zero-range NAME OFFSET LENGTH
//! allocate NAME OFFSET LENGTH
//! sync-entry NAME
//! sync-many [NAME...]                       err INDEX ERROR for the one that failed
//! trap                                      executes `unreachable`
//! oob                                       reads behind the end of its memory
//! spin                                      never ends
//! alloc N                                   has N bytes, in place of those of the last alloc:
//!                                           ok, or bad if there is no memory
//!
//! RANGES  OFFSET+LENGTH,OFFSET+LENGTH.. or - for none
//! DATA    hex:00ff.. or fill:BYTE:LENGTH or text:..
//! ```
//!
//! Numbers are decimal or 0x and hexadecimal. `"` quotes spaces anywhere in a word, with `\0`,
//! `\n`, `\"`, `\\` and `\xNN` for single bytes. The hash is FNV-1a of 64 bits.

mod atomics;
mod changes;
mod descriptors;
mod locks;
mod storage;

mod bindings {
    #![allow(missing_docs, unreachable_pub)] // generated
    wit_bindgen::generate!({
        path: ["wit", "../../../wit/wasi", "wasi"],
        world: "iommap:test-wasi/driver",
        with: { "wasi:filesystem/types@0.2.1": wasip2::filesystem::types },
        generate_all,
    });
}

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, VacantEntry};

use bindings::iommap::mmap::batch::{Range, pread_many, pwrite_many};
use bindings::iommap::mmap::types::{AccessMode, Advice, ErrorCode, Mapping, OpenFlags, SyncMode};
use bindings::iommap::wasi::files::map_descriptor;
use descriptors::Descriptors;
use iommap_commands::{Bad, Words};

struct Driver;

bindings::export!(Driver with_types_in bindings);

#[derive(Default)]
struct State {
    mappings: HashMap<String, Mapping>,
    /// What is known of the files of mappings.
    known: HashMap<String, changes::FileState>,
    descriptors: Descriptors,
    allocated: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

impl bindings::Guest for Driver {
    fn step(command: String) -> String {
        STATE.with_borrow_mut(|state| match state.step(&command) {
            Ok(Ok(answer)) => answer.say(),
            Ok(Err(error)) => format!("err {}", name(&error)),
            Err(Bad(why)) => format!("bad {why}"),
        })
    }
}

/// What came back.
enum Answer {
    Nothing,
    Number(u64),
    Bytes(Vec<u8>),
    Word(&'static str),
    Text(String),
    /// Of many mappings, which failed and why.
    Failed(u32, ErrorCode),
}

impl Answer {
    fn say(&self) -> String {
        match self {
            Answer::Nothing => "ok".into(),
            Answer::Number(number) => format!("ok {number}"),
            Answer::Bytes(bytes) => format!("ok {}", iommap_commands::shown(bytes)),
            Answer::Word(word) => format!("ok {word}"),
            Answer::Text(text) => format!("ok {text}"),
            Answer::Failed(index, error) => format!("err {index} {}", name(error)),
        }
    }
}

impl State {
    fn step(&mut self, command: &str) -> Result<Result<Answer, ErrorCode>, Bad> {
        let mut words = Words::split(command)?;
        let verb = words.text("a command")?;
        let nothing = |result: Result<(), ErrorCode>| result.map(|()| Answer::Nothing);
        Ok(match &*verb {
            "open" => nothing(self.open(words)?),
            "map" => nothing(self.map(words)?),
            "std" => {
                let path = words.text("a path")?;
                let mode = words.one_of("a mode", &ACCESS_MODES)?;
                return Ok(match descriptors::std(&path, mode, words)? {
                    Ok(bytes) => Ok(Answer::Bytes(bytes)),
                    Err(error) => Err(ErrorCode::Other(Some(error))),
                });
            }
            "map-stale" => {
                let name = words.text("a name")?;
                let mode = words.one_of("a mode", &ACCESS_MODES)?;
                words.end()?;
                let none = OpenFlags::empty();
                let mapped = map_descriptor(&descriptors::stale(), mode, none, None);
                nothing(mapped.map(|mapping| drop(self.mappings.insert(name, mapping))))
            }
            "wasi-open" => {
                let (fd, path) = (words.text("a name")?, words.text("a path")?);
                let flags = words.text("flags")?;
                words.end()?;
                return match self.descriptors.open(fd, &path, &flags)? {
                    Ok(()) => Ok(Ok(Answer::Nothing)),
                    Err(error) => Ok(Err(ErrorCode::Other(Some(error)))),
                };
            }
            "wasi-drop" => {
                let fd = words.text("a name")?;
                words.end()?;
                self.descriptors.drop(&fd)?;
                Ok(Answer::Nothing)
            }
            "drop" => {
                let name = words.text("a name")?;
                words.end()?;
                self.mappings.remove(&name).ok_or_else(|| unknown(&name))?;
                Ok(Answer::Nothing)
            }
            "close" => {
                let mapping = self.mapping(&mut words)?;
                words.end()?;
                nothing(mapping.close())
            }
            "pread" => {
                let mapping = self.mapping(&mut words)?;
                let (offset, length) = (words.number("an offset")?, words.number("a length")?);
                words.end()?;
                mapping.pread(offset, length).map(Answer::Bytes)
            }
            "pwrite" => {
                let mapping = self.mapping(&mut words)?;
                let (offset, data) = (words.number("an offset")?, words.data()?);
                words.end()?;
                nothing(mapping.pwrite(offset, &data))
            }
            "pread-many" => {
                let mapping = self.mapping(&mut words)?;
                let ranges = ranges(&mut words)?;
                words.end()?;
                pread_many(mapping, &ranges).map(Answer::Bytes)
            }
            "pwrite-many" => {
                let mapping = self.mapping(&mut words)?;
                let (ranges, data) = (ranges(&mut words)?, words.data()?);
                words.end()?;
                nothing(pwrite_many(mapping, &ranges, &data))
            }
            "sync" => {
                let mapping = self.mapping(&mut words)?;
                let mode = words.one_of("a mode", &SYNC_MODES)?;
                words.end()?;
                nothing(mapping.sync(mode))
            }
            "sync-range" => {
                let mapping = self.mapping(&mut words)?;
                let (offset, length) = (words.number("an offset")?, words.number("a length")?);
                let mode = words.one_of("a mode", &SYNC_MODES)?;
                words.end()?;
                nothing(mapping.sync_range(offset, length, mode))
            }
            "truncate" => {
                let mapping = self.mapping(&mut words)?;
                let size = words.number("a size")?;
                words.end()?;
                nothing(mapping.truncate(size))
            }
            "advise" => {
                let mapping = self.mapping(&mut words)?;
                let (offset, length) = (words.number("an offset")?, words.number("a length")?);
                let hint = words.one_of("a hint", &HINTS)?;
                words.end()?;
                nothing(mapping.advise(offset, length, hint))
            }
            "position" => {
                let mapping = self.mapping(&mut words)?;
                words.end()?;
                mapping.position().map(Answer::Number)
            }
            "lock" | "unlock" | "would-lock" => {
                let mapping = self.mapping(&mut words)?;
                locks::run(&verb, mapping, words)?
            }
            "load" | "store" | "change" | "compare-exchange" | "wait" | "notify" => {
                let mapping = self.mapping(&mut words)?;
                atomics::run(&verb, mapping, words)?
            }
            "changed" | "modified" | "file-length" | "read-up-to" | "read-strict" => {
                let mapping = self.mapping(&mut words)?;
                changes::run(&verb, mapping, words)?
            }
            "remap" | "know" | "wait-for-change" => self.follow(&verb, words)?,
            "punch-hole" | "zero-range" | "allocate" | "sync-entry" => {
                let mapping = self.mapping(&mut words)?;
                nothing(storage::run(&verb, mapping, words)?)
            }
            "sync-many" => {
                let mut mappings = Vec::new();
                while let Some(name) = words.optional_text()? {
                    mappings.push(self.mappings.get(&name).ok_or_else(|| unknown(&name))?);
                }
                return Ok(Ok(storage::sync_many(&mappings)));
            }
            "alloc" => {
                let size = words.number("a number of bytes")?;
                words.end()?;
                self.alloc(size)?;
                Ok(Answer::Nothing)
            }
            "trap" => trap(),
            "oob" => out_of_bounds(),
            "spin" => loop {
                std::hint::black_box(());
            },
            unknown => return Err(Bad(format!("there is no command {unknown:?}"))),
        })
    }

    fn open(&mut self, mut words: Words) -> Result<Result<(), ErrorCode>, Bad> {
        let (name, path) = (words.text("a name")?, words.text("a path")?);
        let (mode, options, size) = how(words)?;
        let place = self.place(name)?;
        Ok(Mapping::open(&path, mode, options, size).map(|mapping| {
            place.insert(mapping);
        }))
    }

    fn map(&mut self, mut words: Words) -> Result<Result<(), ErrorCode>, Bad> {
        let (name, fd) = (words.text("a name")?, words.text("a descriptor")?);
        let (mode, options, size) = how(words)?;
        let mapped = map_descriptor(self.descriptors.get(&fd)?, mode, options, size);
        let place = self.place(name)?;
        Ok(mapped.map(|mapping| {
            place.insert(mapping);
        }))
    }

    fn place(&mut self, name: String) -> Result<VacantEntry<'_, String, Mapping>, Bad> {
        match self.mappings.entry(name) {
            Entry::Vacant(place) => Ok(place),
            Entry::Occupied(_) => Err(Bad("this name is in use".into())),
        }
    }

    fn mapping(&self, words: &mut Words) -> Result<&Mapping, Bad> {
        let name = words.text("a name")?;
        self.mappings.get(&name).ok_or_else(|| unknown(&name))
    }

    fn alloc(&mut self, size: u64) -> Result<(), Bad> {
        let no_memory = || Bad("there is no memory".into());
        self.allocated = Vec::new();
        let size = usize::try_from(size).map_err(|_| no_memory())?;
        self.allocated.try_reserve_exact(size).map_err(|_| no_memory())?;
        self.allocated.resize(size, 1);
        Ok(())
    }
}

/// `MODE [OPTIONS] [size=N]`, to the end.
fn how(mut words: Words) -> Result<(AccessMode, OpenFlags, Option<u64>), Bad> {
    let mode = words.one_of("a mode", &ACCESS_MODES)?;
    let (mut options, mut size) = (OpenFlags::empty(), None);
    while let Some(word) = words.optional_text()? {
        match word.strip_prefix("size=") {
            Some(number) => size = Some(iommap_commands::number(number)?),
            None if word == "-" => {}
            None => {
                for option in word.split(',') {
                    options |= iommap_commands::one_of(option, &OPTIONS)?;
                }
            }
        }
    }
    Ok((mode, options, size))
}

const ACCESS_MODES: [(&str, AccessMode); 3] = [
    ("read", AccessMode::Read),
    ("write", AccessMode::Write),
    ("read-write", AccessMode::ReadWrite),
];

const OPTIONS: [(&str, OpenFlags); 8] = [
    ("shared", OpenFlags::SHARED),
    ("private", OpenFlags::PRIVATE),
    ("lock", OpenFlags::LOCK),
    ("populate", OpenFlags::POPULATE),
    ("nocache", OpenFlags::NOCACHE),
    ("create", OpenFlags::CREATE),
    ("truncate", OpenFlags::TRUNCATE),
    ("exclusive", OpenFlags::EXCLUSIVE),
];

const SYNC_MODES: [(&str, SyncMode); 2] = [("sync", SyncMode::Sync), ("async", SyncMode::Async)];

const HINTS: [(&str, Advice); 5] = [
    ("normal", Advice::Normal),
    ("random", Advice::Random),
    ("sequential", Advice::Sequential),
    ("willneed", Advice::Willneed),
    ("dontneed", Advice::Dontneed),
];

fn ranges(words: &mut Words) -> Result<Vec<Range>, Bad> {
    let ranges = words.ranges()?;
    Ok(ranges.into_iter().map(|(offset, length)| Range { offset, length }).collect())
}

fn unknown(name: &str) -> Bad {
    Bad(format!("there is no mapping {name:?}"))
}

/// The name that an error has in `iommap.wit`.
fn name(error: &ErrorCode) -> String {
    match error {
        ErrorCode::Badarg => "badarg",
        ErrorCode::Enomem => "enomem",
        ErrorCode::Enoent => "enoent",
        ErrorCode::Eacces => "eacces",
        ErrorCode::Closed => "closed",
        ErrorCode::OutOfBounds => "out-of-bounds",
        ErrorCode::Sigbus => "sigbus",
        ErrorCode::Eexist => "eexist",
        ErrorCode::Enotreg => "enotreg",
        ErrorCode::Enospc => "enospc",
        ErrorCode::Efbig => "efbig",
        ErrorCode::Emfile => "emfile",
        ErrorCode::LimitExceeded => "limit-exceeded",
        ErrorCode::Enotsup => "enotsup",
        ErrorCode::Eio => "eio",
        ErrorCode::Other(None) => "other",
        ErrorCode::Other(Some(text)) => return format!("other {text}"),
    }
    .into()
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    unimplemented!("only in wasm");
}

fn out_of_bounds() -> ! {
    #[cfg(target_arch = "wasm32")]
    {
        let address = std::hint::black_box(0xFFFF_FFF0_usize);
        // SAFETY: none, that is the point. A memory that is not 4 GiB large ends before this
        // address, so that the load traps; in one that is, nothing is at stake but this test.
        unsafe { std::ptr::read_volatile(address as *const u8) };
        unreachable!("a load behind the end of memory did not trap");
    }
    #[cfg(not(target_arch = "wasm32"))]
    unimplemented!("only in wasm");
}
