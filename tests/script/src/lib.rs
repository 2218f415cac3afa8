//! The driver's commands, carried out by the crate `iommap-guest`: by the guest `rustic` in wasm,
//! and by the tests natively, where a mapping is an ordinary file.
//!
//! Commands, answers and words are those of the driver, as far as the crate has them. What a
//! mapping was closed by is gone with it, so that `close` is also a `drop`. What is read comes to
//! lie in the middle of a larger buffer, whose surroundings are checked. Beside the driver's:
//!
//! ```text
//! read-at NAME OFFSET LENGTH       read_at: ok N hex:..
//! read-vec NAME OFFSET LENGTH      read_to_vec
//! read-into NAME RANGES            read_many_into
//! read-end NAME OFFSET             a Reader: seek, read_to_end
//! lines NAME CAPACITY              a Reader: ok N, the number of lines
//! write-end NAME DATA              a Writer: seek to the end, write
//! append NAME DATA                 a growing one
//! cost                             ok A: what the last command before had the allocator do
//! ```

#[cfg(feature = "atomics")]
mod atomics;
#[cfg(feature = "changes")]
mod changes;
#[cfg(feature = "locks")]
mod locks;
#[cfg(feature = "storage")]
mod storage;
#[cfg(feature = "windows")]
mod windows;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};

use iommap_commands::{Bad, Words};
#[cfg(feature = "windows")]
pub use windows::WindowScript;

use iommap_guest::{Advice, Error, Mapping, Range, Reader, SyncMode, Writer};

/// Mappings with names, and what is done to them.
pub struct Script {
    mappings: HashMap<String, Mapping>,
    /// How often memory was asked for so far.
    asked: fn() -> u64,
    cost: u64,
    /// What is known of mappings' files.
    #[cfg(feature = "changes")]
    known: HashMap<String, iommap_guest::FileState>,
}

/// Not lent, and not to be written to.
const AROUND: usize = 64;

impl Script {
    /// No mappings yet. `asked` tells how often memory was asked for so far.
    pub fn new(asked: fn() -> u64) -> Script {
        Script {
            mappings: HashMap::new(),
            asked,
            cost: 0,
            #[cfg(feature = "changes")]
            known: HashMap::new(),
        }
    }

    /// Carries out one command and says what came of it.
    pub fn step(&mut self, command: &str) -> String {
        said(self.answer(command))
    }

    #[cfg(any(feature = "changes", feature = "windows"))]
    fn mapping(&self, name: &str) -> Result<&Mapping, Bad> {
        self.mappings.get(name).ok_or_else(|| Bad(format!("there is no mapping {name:?}")))
    }

    #[cfg(any(feature = "changes", feature = "windows"))]
    fn keep(&mut self, name: String, mapping: Mapping) {
        self.mappings.insert(name, mapping);
    }

    #[cfg(feature = "windows")]
    fn take(&mut self, name: &str) -> Result<Mapping, Bad> {
        self.mappings.remove(name).ok_or_else(|| Bad(format!("there is no mapping {name:?}")))
    }

    fn answer(&mut self, command: &str) -> Result<Result<Answer, Error>, Bad> {
        let mut words = Words::split(command)?;
        let verb = words.text("a command")?;
        if verb == "open" {
            return self.open(words);
        }
        if verb == "cost" {
            return Ok(Ok(Answer::Number(self.cost)));
        }
        #[cfg(feature = "storage")]
        if verb == "sync-all" {
            let named = |name: &String| {
                self.mappings.get(name).ok_or_else(|| Bad(format!("there is no mapping {name:?}")))
            };
            let mappings = words.texts()?.iter().map(named).collect::<Result<Vec<_>, _>>()?;
            return Ok(Ok(Answer::Line(storage::sync_all(&mappings))));
        }
        let name = words.text("a name")?;
        let unknown = || Bad(format!("there is no mapping {name:?}"));
        if let "close" | "drop" = &*verb {
            words.end()?;
            let mapping = self.mappings.remove(&name).ok_or_else(unknown)?;
            // Dropped at the end.
            let done = if verb == "close" { mapping.close() } else { Ok(()) };
            return Ok(done.map(|()| Answer::Nothing));
        }
        #[cfg(feature = "changes")]
        if let "remap" | "know" | "wait" = &*verb {
            return self.change(&verb, name, words);
        }
        let mapping = self.mappings.get(&name).ok_or_else(unknown)?;
        let mut meter = Meter { asked: self.asked, cost: 0 };
        let answer = operation(&verb, mapping, words, &mut meter);
        self.cost = meter.cost;
        answer
    }

    fn open(&mut self, mut words: Words) -> Result<Result<Answer, Error>, Bad> {
        let (name, path) = (words.text("a name")?, words.text("a path")?);
        let mut options = Mapping::options();
        match &*words.text("a mode")? {
            "read" => options.read(true),
            "write" => options.write(true),
            "read-write" => options.read(true).write(true),
            "none" => &mut options,
            other => return Err(Bad(format!("{other:?} is no mode"))),
        };
        while let Some(word) = words.optional_text()? {
            if let Some(number) = word.strip_prefix("size=") {
                options.size(iommap_commands::number(number)?);
                continue;
            }
            for option in word.split(',') {
                match option {
                    "-" | "shared" => &mut options,
                    "private" => options.private(true),
                    "lock" => options.lock(true),
                    "populate" => options.populate(true),
                    "nocache" => options.nocache(true),
                    "create" => options.create(true),
                    "create-new" => options.create_new(true),
                    "truncate" => options.truncate(true),
                    other => return Err(Bad(format!("{other:?} is no option"))),
                };
            }
        }
        let Entry::Vacant(place) = self.mappings.entry(name) else {
            return Err(Bad("this name is in use".into()));
        };
        Ok(options.open(path).map(|mapping| {
            place.insert(mapping);
            Answer::Nothing
        }))
    }
}

/// An answer as the tests read it.
fn said(answer: Result<Result<Answer, Error>, Bad>) -> String {
    match answer {
        Ok(Ok(answer)) => answer.say(),
        Ok(Err(error)) => match error.message() {
            Some(words) => format!("err other {words}"),
            None => format!("err {}", error.kind().name()),
        },
        Err(Bad(why)) => format!("bad {why}"),
    }
}

/// Counts what a call has the allocator do.
struct Meter {
    asked: fn() -> u64,
    cost: u64,
}

impl Meter {
    fn measure<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let before = (self.asked)();
        let result = call();
        self.cost = (self.asked)() - before;
        result
    }

    /// Reads into the middle of a buffer. `read` tells how much of it counts.
    fn read(
        &mut self,
        length: u64,
        read: impl FnOnce(&mut [u8]) -> Result<usize, Error>,
    ) -> Result<Result<Vec<u8>, Error>, Bad> {
        let no_memory = || Bad("there is no memory".into());
        let length = usize::try_from(length).map_err(|_| no_memory())?;
        let whole = length.checked_add(2 * AROUND).ok_or_else(no_memory)?;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(whole).map_err(|_| no_memory())?;
        buffer.resize(whole, 0xee);
        let done = self.measure(|| read(&mut buffer[AROUND..AROUND + length]));
        let around = buffer[..AROUND].iter().chain(&buffer[AROUND + length..]);
        if !around.clone().all(|&byte| byte == 0xee) {
            return Err(Bad("bytes were written beside the buffer".into()));
        }
        Ok(done.map(|n| buffer[AROUND..AROUND + n].to_vec()))
    }
}

fn operation(
    verb: &str,
    mapping: &Mapping,
    mut words: Words,
    meter: &mut Meter,
) -> Result<Result<Answer, Error>, Bad> {
    let nothing = |result: Result<(), Error>| result.map(|()| Answer::Nothing);
    Ok(match verb {
        "pread" => {
            let (offset, length) = span(&mut words)?;
            let read = |buf: &mut [u8]| mapping.read_exact_at(offset, buf).map(|()| buf.len());
            meter.read(length, read)?.map(Answer::Bytes)
        }
        "read-at" => {
            let (offset, length) = span(&mut words)?;
            meter.read(length, |buf| mapping.read_at(offset, buf))?.map(Answer::Count)
        }
        "read-vec" => {
            let (offset, length) = span(&mut words)?;
            meter.measure(|| mapping.read_to_vec(offset, length)).map(Answer::Bytes)
        }
        "pread-many" => {
            let ranges = ranges(&mut words)?;
            meter.measure(|| mapping.read_many(&ranges)).map(Answer::Bytes)
        }
        "read-into" => {
            let ranges = ranges(&mut words)?;
            let length = ranges.iter().map(|range| range.length).sum();
            let read = |buf: &mut [u8]| mapping.read_many_into(&ranges, buf).map(|()| buf.len());
            meter.read(length, read)?.map(Answer::Bytes)
        }
        "read-end" => {
            let offset = words.number("an offset")?;
            words.end()?;
            let mut reader = Reader::with_capacity(16, mapping);
            let mut bytes = Vec::new();
            let mut read = || {
                // Something is in the buffer, and is left again.
                reader.fill_buf()?;
                reader.seek(SeekFrom::Start(offset))?;
                reader.read_to_end(&mut bytes)
            };
            meter.measure(&mut read).map_err(kept)?;
            Ok(Answer::Bytes(bytes))
        }
        "lines" => {
            let capacity = words.number("a capacity")?;
            words.end()?;
            let lines = Reader::with_capacity(capacity as usize, mapping).split(b'\n');
            let count = lines.map(|line| line.map(drop)).collect::<Result<Vec<()>, _>>();
            Ok(Answer::Number(count.map_err(kept)?.len() as u64))
        }
        "write-end" | "append" => {
            let data = words.data()?;
            words.end()?;
            let mut writer =
                if verb == "append" { Writer::growing(mapping) } else { Writer::new(mapping) };
            writer.seek(SeekFrom::End(0)).map_err(kept)?;
            Ok(Answer::Number(writer.write(&data).map_err(kept)? as u64))
        }
        "pwrite" => {
            let (offset, data) = (words.number("an offset")?, words.data()?);
            words.end()?;
            nothing(meter.measure(|| mapping.write_all_at(offset, &data)))
        }
        "pwrite-many" => {
            let ranges: Vec<Range> = words.ranges()?.into_iter().map(Range::from).collect();
            let data = words.data()?;
            words.end()?;
            nothing(meter.measure(|| mapping.write_many(&ranges, &data)))
        }
        "sync" => {
            let mode = words.one_of("a mode", &SYNC_MODES)?;
            words.end()?;
            nothing(mapping.sync_with(mode))
        }
        "sync-range" => {
            let (offset, length) = (words.number("an offset")?, words.number("a length")?);
            let mode = words.one_of("a mode", &SYNC_MODES)?;
            words.end()?;
            nothing(mapping.sync_range_with(offset, length, mode))
        }
        "truncate" => {
            let size = words.number("a size")?;
            words.end()?;
            nothing(mapping.set_len(size))
        }
        "advise" => {
            let (offset, length) = (words.number("an offset")?, words.number("a length")?);
            let hint = words.one_of("a hint", &HINTS)?;
            words.end()?;
            nothing(mapping.advise(offset, length, hint))
        }
        "position" => {
            words.end()?;
            mapping.len().map(Answer::Number)
        }
        #[cfg(feature = "locks")]
        "lock" | "unlock" | "would-lock" | "lock-all" => locks::operation(verb, mapping, words)?,
        #[cfg(feature = "storage")]
        "punch-hole" | "zero-range" | "allocate" | "sync-entry" => {
            storage::operation(verb, mapping, words)?
        }
        #[cfg(feature = "changes")]
        "changed" | "modified" | "file-len" | "read-up-to" | "read-strict" => {
            changes::operation(verb, mapping, words, meter)?
        }
        #[cfg(feature = "atomics")]
        "word" | "count" | "meet" | "wait-word" | "notify" => {
            atomics::operation(verb, mapping, words)?
        }
        unknown => return Err(Bad(format!("there is no command {unknown:?}"))),
    })
}

/// The crate's error in one of std's. That it is there is a part of what is tested.
fn kept(error: std::io::Error) -> Bad {
    let kind = error.kind();
    match error.downcast::<Error>() {
        Ok(error) => Bad(format!("{kind:?}: {}", error.kind().name())),
        Err(error) => Bad(format!("{kind:?}, and no error of the crate: {error}")),
    }
}

/// What came back.
enum Answer {
    Nothing,
    Number(u64),
    #[cfg(feature = "windows")]
    Numbers(u64, u64),
    #[cfg(any(feature = "atomics", feature = "locks"))]
    Word(&'static str),
    #[cfg(feature = "changes")]
    Text(String),
    /// All of the answer.
    #[cfg(feature = "storage")]
    Line(String),
    /// Whether it was what it should be, and what it was.
    #[cfg(feature = "atomics")]
    Compared(bool, u64),
    Bytes(Vec<u8>),
    /// With how many they are.
    Count(Vec<u8>),
}

impl Answer {
    fn say(&self) -> String {
        match self {
            Answer::Nothing => "ok".into(),
            Answer::Number(number) => format!("ok {number}"),
            #[cfg(feature = "windows")]
            Answer::Numbers(one, other) => format!("ok {one} {other}"),
            #[cfg(feature = "atomics")]
            Answer::Compared(is, before) => format!("ok {is} {before}"),
            #[cfg(any(feature = "atomics", feature = "locks"))]
            Answer::Word(word) => format!("ok {word}"),
            #[cfg(feature = "changes")]
            Answer::Text(text) => format!("ok {text}"),
            #[cfg(feature = "storage")]
            Answer::Line(line) => line.clone(),
            Answer::Bytes(bytes) => format!("ok {}", iommap_commands::shown(bytes)),
            Answer::Count(bytes) => format!("ok {} {}", bytes.len(), iommap_commands::shown(bytes)),
        }
    }
}

fn span(words: &mut Words) -> Result<(u64, u64), Bad> {
    let span = (words.number("an offset")?, words.number("a length")?);
    words.end()?;
    Ok(span)
}

fn ranges(words: &mut Words) -> Result<Vec<Range>, Bad> {
    let ranges = words.ranges()?.into_iter().map(Range::from).collect();
    words.end()?;
    Ok(ranges)
}

const SYNC_MODES: [(&str, SyncMode); 2] = [("sync", SyncMode::Sync), ("async", SyncMode::Async)];

const HINTS: [(&str, Advice); 5] = [
    ("normal", Advice::Normal),
    ("random", Advice::Random),
    ("sequential", Advice::Sequential),
    ("willneed", Advice::WillNeed),
    ("dontneed", Advice::DontNeed),
];
