//! What must come of a guest's call.
//!
//! The order of checks is that of the interface: closed, `eacces`, out of bounds, limit, and
//! then the operation.

use crate::file::{File, UNKNOWN};
use crate::lock::{Held, after, excludes, named};
use crate::model::{Answer, Expected, Mapped, Model, touched};
use crate::operation::{Call, Open, Storage};
use crate::page;
use crate::words::changed;
use iommap::{AccessMode, LockMode, Range};
use std::collections::BTreeMap;

/// A list may have one range for each so many bytes of a call, and one more.
const RANGE_BYTES: u64 = 4096;

const DONE: Expected = Ok(Answer::Nothing);

impl Model {
    /// Does to the model what the guest does, and says what the guest must be told.
    pub fn guest(&mut self, slot: usize, call: &Call) -> Expected {
        if let Call::Open(open) = call {
            self.slots[slot] = None;
            self.slots[slot] = Some(self.open(open)?);
            return DONE;
        }
        if *call == Call::Drop {
            self.slots[slot] = None;
            return DONE;
        }
        // Taken out, so that it and the files can be changed, and put back whatever happens.
        let Some(mut mapped) = self.slots[slot].take() else { return DONE };
        let expected = self.call(&mut mapped, call);
        // What a cut does to private pages, it did while this one was out.
        mapped.cut_to(self.files[mapped.file].pages());
        self.slots[slot] = Some(mapped);
        // That a `sync` tells of lost pages is no fault.
        if expected == Err("sigbus") && !matches!(call, Call::Sync(_) | Call::SyncRange(..)) {
            self.faults += 1;
        }
        expected
    }

    fn open(&mut self, open: &Open) -> Result<Mapped, &'static str> {
        let writes = open.access != AccessMode::Read;
        let changes = open.changes();
        if open.contradicts_itself() {
            return Err("badarg");
        }
        // Nothing may be locked.
        if open.lock || (open.read_only_grant && ((writes && !open.private) || changes)) {
            return Err("eacces");
        }
        let (mappings, mapped_bytes, _) = self.used();
        if mappings >= self.limits.mappings {
            return Err("limit-exceeded");
        }
        let found = self.names[open.name];
        // Limits come before the file system is asked what there is, where a file is to be made.
        let existing = found.filter(|_| !open.exclusive);
        if existing.is_none() && !open.create {
            return Err("enoent");
        }
        let length = existing.map_or(0, |file| self.files[file].len());
        let target = match (open.size, open.truncate) {
            (Some(size), true) => size,
            (Some(size), false) => size.max(length),
            (None, true) => 0,
            (None, false) => length,
        };
        let grows = target > length;
        if grows && !writes {
            return Err("badarg");
        }
        if (grows || open.truncate) && open.read_only_grant {
            return Err("eacces");
        }
        if (grows || open.truncate) && target > self.limits.file_bytes {
            return Err("limit-exceeded");
        }
        if mapped_bytes.checked_add(target).is_none_or(|all| all > self.limits.mapped_bytes) {
            return Err("limit-exceeded");
        }
        if found.is_some() && open.exclusive {
            return Err("eexist");
        }

        let file = existing.unwrap_or_else(|| self.add(File::default()));
        self.names[open.name] = Some(file);
        if open.truncate {
            self.empty(file, target);
        } else if grows {
            self.set_len(file, target);
        }
        Ok(Mapped {
            file,
            name: open.name,
            access: open.access,
            private: open.private,
            length: Some(target),
            own: BTreeMap::new(),
            written: false,
            cut: Some(false),
            locks: Vec::new(),
        })
    }

    fn call(&mut self, mapped: &mut Mapped, call: &Call) -> Expected {
        let length = mapped.length.ok_or("closed")?;
        let reads = if mapped.access == AccessMode::Write { Err("eacces") } else { Ok(()) };
        let writes = if mapped.access == AccessMode::Read { Err("eacces") } else { Ok(()) };
        match call {
            Call::Open(_) | Call::Drop => DONE,
            Call::Close => {
                mapped.length = None;
                mapped.locks.clear();
                DONE
            }
            Call::Position => Ok(Answer::Number(length)),
            Call::Sync(_) => synced(mapped),
            Call::SyncRange(offset, bytes, _) => {
                inside(length, *offset, *bytes)?;
                synced(mapped)
            }
            Call::Advise(offset, bytes, _) => {
                inside(length, *offset, *bytes).map(|()| Answer::Nothing)
            }
            Call::Pread(offset, bytes) => {
                reads?;
                self.read_all(mapped, length, &[Range { offset: *offset, length: *bytes }])
            }
            Call::PreadMany(ranges) => {
                reads?;
                self.read_all(mapped, length, ranges)
            }
            Call::Pwrite(offset, data) => {
                writes?;
                let range = Range { offset: *offset, length: data.len() as u64 };
                self.check(length, &[range])?;
                self.write(mapped, range, data)
            }
            Call::PwriteMany(ranges, data) => {
                writes?;
                let sum = ranges.iter().try_fold(0u64, |sum, range| sum.checked_add(range.length));
                if ranges.len() <= self.most_ranges() && sum != Some(data.len() as u64) {
                    return Err("badarg");
                }
                self.check(length, ranges)?;
                let mut rest = data.as_slice();
                for range in ranges {
                    let (piece, after) = rest.split_at(range.length as usize);
                    self.write(mapped, *range, piece)?;
                    rest = after;
                }
                DONE
            }
            Call::Truncate(size) => self.truncate(mapped, *size),
            Call::Lock(range, mode) => {
                lockable(mapped, *mode)?;
                let range = named(*range)?;
                // The limit comes before it is looked whether anybody is in the way.
                let locks = self.within_limit(mapped, range, Some(*mode))?;
                let free = self.is_free(mapped, range, *mode);
                if free {
                    mapped.locks = locks;
                }
                Ok(Answer::Locked(free))
            }
            Call::Unlock(range) => {
                mapped.locks = self.within_limit(mapped, named(*range)?, None)?;
                DONE
            }
            Call::WouldLock(range, mode) => {
                lockable(mapped, *mode)?;
                Ok(Answer::Would(self.is_free(mapped, named(*range)?, *mode)))
            }
            Call::Load(word) => self.load(mapped, length, *word),
            Call::Store(word, value) => self.store(mapped, length, *word, *value),
            Call::Change(word, change, value) => {
                self.change(mapped, length, *word, |was| Some(changed(*change, was, *value)))
            }
            Call::CompareExchange(word, expected, new) => {
                let expected = word.cut(*expected);
                self.change(mapped, length, *word, |was| (was == expected).then_some(*new))
            }
            Call::Storage(storage, range) => self.storage(mapped, length, *storage, *range),
            Call::SyncEntry => {
                own(mapped)?;
                let found = self.names[mapped.name] == Some(mapped.file);
                if found { DONE } else { Err("enoent") }
            }
            Call::ReadUpTo(offset, bytes) => {
                reads?;
                let offset = (*offset).min(length);
                let bytes = (*bytes).min(length - offset).min(self.limits.call_bytes);
                self.read_all(mapped, length, &[Range { offset, length: bytes }])
            }
            Call::ReadStrict(offset, bytes) => {
                reads?;
                let read =
                    self.read_all(mapped, length, &[Range { offset: *offset, length: *bytes }])?;
                let there = *bytes == 0 || offset + bytes <= self.files[mapped.file].len();
                if there { Ok(read) } else { Err("sigbus") }
            }
            Call::Changed => Ok(Answer::State(self.state(mapped, length))),
        }
    }

    fn storage(
        &mut self,
        mapped: &Mapped,
        length: u64,
        storage: Storage,
        range: Range,
    ) -> Expected {
        own(mapped)?;
        inside(length, range.offset, range.length)?;
        let end = range.offset + range.length;
        if storage != Storage::Hole && range.length > 0 && end > self.limits.file_bytes {
            return Err("limit-exceeded");
        }
        if storage != Storage::Blocks {
            self.files[mapped.file].punch(range.offset, range.length);
        }
        DONE
    }

    /// What has become of a mapping's file, in the driver's words.
    fn state(&self, mapped: &Mapped, length: u64) -> String {
        let now = self.files[mapped.file].len();
        let there = self.names[mapped.name];
        let differences = [
            (now < length, "shorter"),
            (now > length, "longer"),
            (there.is_some_and(|file| file != mapped.file), "replaced"),
            (there.is_none(), "gone"),
        ];
        described(now, differences)
    }

    /// What a mapping will hold, if that is not too much.
    fn within_limit(
        &self,
        mapped: &Mapped,
        range: (u64, u64),
        mode: Option<LockMode>,
    ) -> Result<Vec<Held>, &'static str> {
        let locks = after(&mapped.locks, range, mode);
        // The mapping itself is out of its slot, and not among those that are counted.
        let all = self.locks() + locks.len() as u64;
        let more = locks.len() > mapped.locks.len();
        if more && all > self.limits.locks { Err("limit-exceeded") } else { Ok(locks) }
    }

    /// Does no other mapping of the file keep this one from having a range so?
    fn is_free(&self, mapped: &Mapped, range: (u64, u64), mode: LockMode) -> bool {
        let others = self.slots.iter().flatten().filter(|other| other.file == mapped.file);
        others.into_iter().all(|other| !excludes(&other.locks, range, mode))
    }

    /// Bounds first, then limits. Of a list that is too long as many ranges count as are allowed.
    fn most_ranges(&self) -> usize {
        (self.limits.call_bytes / RANGE_BYTES) as usize + 1
    }

    fn check(&self, length: u64, ranges: &[Range]) -> Result<(), &'static str> {
        let most = self.most_ranges();
        for range in ranges.iter().take(most) {
            inside(length, range.offset, range.length)?;
        }
        let sum = ranges.iter().fold(0u64, |sum, range| sum.saturating_add(range.length));
        if ranges.len() > most || sum > self.limits.call_bytes {
            return Err("limit-exceeded");
        }
        Ok(())
    }

    fn read_all(&self, mapped: &Mapped, length: u64, ranges: &[Range]) -> Expected {
        self.check(length, ranges)?;
        let mut cells = Vec::new();
        for range in ranges {
            if !self.backed(mapped, range.offset, range.length) {
                return Err("sigbus");
            }
            cells.extend(self.read(mapped, range.offset, range.length));
        }
        Ok(Answer::Bytes(cells))
    }

    fn write(&mut self, mapped: &mut Mapped, range: Range, data: &[u8]) -> Expected {
        let Range { offset, length } = range;
        let whole = self.backed(mapped, offset, length);
        let file = &mut self.files[mapped.file];
        if !mapped.private {
            file.write_mapped(offset, whole.then_some(data), length);
        } else {
            mapped.written |= length > 0;
            for index in touched(offset, length).take_while(|index| *index < file.pages()) {
                let own = mapped.own.entry(index).or_insert_with(|| file.page(index).to_vec());
                if !whole {
                    // It may not even have been copied.
                    own.fill(UNKNOWN);
                    continue;
                }
                let (start, end) = (index * page(), (index + 1) * page());
                for at in offset.max(start)..(offset + length).min(end) {
                    own[(at - start) as usize] = data[(at - offset) as usize].into();
                }
            }
        }
        if whole { DONE } else { Err("sigbus") }
    }

    fn truncate(&mut self, mapped: &mut Mapped, size: u64) -> Expected {
        if mapped.private || mapped.access == AccessMode::Read {
            return Err("eacces");
        }
        let old = self.files[mapped.file].len();
        let held = mapped.length.unwrap_or(0);
        // The mapping itself is out of its slot, and not among those that are counted.
        let others = self.used().1;
        let all = others.checked_add(size.max(held));
        if (size > old && size > self.limits.file_bytes)
            || all.is_none_or(|all| all > self.limits.mapped_bytes)
        {
            return Err("limit-exceeded");
        }
        self.set_len(mapped.file, size);
        mapped.length = Some(size);
        DONE
    }
}

/// What a private mapping wrote may be lost, and then all of its `sync` say so.
fn synced(mapped: &Mapped) -> Expected {
    match mapped.cut {
        Some(true) if mapped.written => Err("sigbus"),
        None if mapped.written => Ok(Answer::NothingOr("sigbus")),
        _ => DONE,
    }
}

fn lockable(mapped: &Mapped, mode: LockMode) -> Result<(), &'static str> {
    let allowed = match mode {
        LockMode::Shared => mapped.access != AccessMode::Write,
        LockMode::Exclusive => mapped.access != AccessMode::Read && !mapped.private,
    };
    if allowed { Ok(()) } else { Err("eacces") }
}

/// Is the file's storage the mapping's to change?
fn own(mapped: &Mapped) -> Result<(), &'static str> {
    let own = mapped.access != AccessMode::Read && !mapped.private;
    if own { Ok(()) } else { Err("eacces") }
}

/// What has become of a file, as the driver says it.
pub(crate) fn described(length: u64, differences: [(bool, &str); 4]) -> String {
    let words: Vec<_> = differences.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    let words = if words.is_empty() { "-".to_owned() } else { words.join(",") };
    format!("{length} {words}")
}

pub(crate) fn inside(length: u64, offset: u64, bytes: u64) -> Result<(), &'static str> {
    match offset.checked_add(bytes) {
        Some(end) if end <= length => Ok(()),
        _ => Err("out-of-bounds"),
    }
}
