//! The native layer as a subject: what its tests and the fuzz targets hold to the model.

use crate::hold::{Subject, Value};
use crate::limits;
use crate::operation::{Call, Open, SLOTS, Storage, Word};
use crate::predict::described;
use iommap::{Error, ErrorKind, FsPerms, Grants, Mapping, OpenOptions, Usage};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Mappings of one store, in slots.
pub struct Native {
    grants: Grants,
    usage: Arc<Usage>,
    slots: [Option<Mapping>; SLOTS],
}

impl Native {
    /// No mappings yet, and a directory granted as the model wants it. With `common`, slots that
    /// hold a file in one mode use one region: the model must not tell.
    ///
    /// # Errors
    ///
    /// The directory can't be opened.
    pub fn new(directory: &Path, common: bool) -> std::io::Result<Native> {
        let mut grants = Grants::default();
        grants.preopened_dir(directory, "/d", FsPerms::ReadWrite)?;
        grants.preopened_dir(directory, "/r", FsPerms::ReadOnly)?;
        grants.common_regions(common);
        Ok(Native { grants, usage: Usage::new(limits()), slots: [const { None }; SLOTS] })
    }

    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, Error> {
        let nothing = |()| Value::Nothing;
        if let Call::Open(open) = call {
            self.slots[slot] = None;
            let mapping = self.grants.open(&self.usage, &open.path(), &options(open))?;
            self.slots[slot] = Some(mapping);
            return Ok(Value::Nothing);
        }
        if *call == Call::Drop {
            self.slots[slot] = None;
            return Ok(Value::Nothing);
        }
        let mapping = self.slots[slot].as_ref().ok_or(ErrorKind::Other)?;
        match call {
            Call::Open(_) | Call::Drop => Ok(Value::Nothing),
            Call::Close => mapping.close().map(nothing),
            Call::Position => mapping.len().map(Value::Number),
            Call::Pread(offset, length) => {
                let mut bytes = vec![0xee; *length as usize];
                mapping.pread(*offset, &mut bytes)?;
                Ok(Value::Bytes(bytes))
            }
            Call::Pwrite(offset, data) => mapping.pwrite(*offset, data).map(nothing),
            Call::PreadMany(list) => {
                let mut bytes = vec![0xee; list.iter().map(|range| range.length as usize).sum()];
                mapping.pread_many(list, &mut bytes)?;
                Ok(Value::Bytes(bytes))
            }
            Call::PwriteMany(list, data) => mapping.pwrite_many(list, data).map(nothing),
            Call::Sync(mode) => mapping.sync(*mode).map(nothing),
            Call::SyncRange(offset, length, mode) => {
                mapping.sync_range(*offset, *length, *mode).map(nothing)
            }
            Call::Truncate(size) => mapping.set_len(*size).map(nothing),
            Call::Advise(offset, length, advice) => {
                mapping.advise(*offset, *length, *advice).map(nothing)
            }
            Call::Lock(range, mode) => {
                mapping.lock(*range, *mode, Some(Duration::ZERO)).map(Value::Locked)
            }
            Call::Unlock(range) => mapping.unlock(*range).map(nothing),
            Call::WouldLock(range, mode) => mapping.would_lock(*range, *mode).map(Value::Would),
            Call::Load(at @ Word { offset, .. }) => match at.wide {
                true => mapping.load::<u64>(*offset).map(Value::Number),
                false => mapping.load::<u32>(*offset).map(number),
            },
            Call::Store(at @ Word { offset, .. }, value) => match at.wide {
                true => mapping.store(*offset, *value).map(nothing),
                false => mapping.store(*offset, *value as u32).map(nothing),
            },
            Call::Change(at @ Word { offset, .. }, how, value) => match at.wide {
                true => mapping.change(*offset, *how, *value).map(Value::Number),
                false => mapping.change(*offset, *how, *value as u32).map(number),
            },
            Call::CompareExchange(at @ Word { offset, .. }, current, new) => match at.wide {
                true => mapping
                    .compare_exchange(*offset, *current, *new)
                    .map(|found| Value::Number(found.unwrap_or_else(|found| found))),
                false => mapping
                    .compare_exchange(*offset, *current as u32, *new as u32)
                    .map(|found| number(found.unwrap_or_else(|found| found))),
            },
            Call::Storage(storage, range) => {
                let change = match storage {
                    Storage::Hole => Mapping::punch_hole,
                    Storage::Zeros => Mapping::zero_range,
                    Storage::Blocks => Mapping::allocate,
                };
                change(mapping, range.offset, range.length).map(nothing)
            }
            Call::SyncEntry => mapping.sync_entry().map(nothing),
            Call::ReadUpTo(offset, length) => {
                // No call moves more.
                let most = (*length).min(limits().call_bytes);
                let mut bytes = vec![0xee; most as usize];
                let there = mapping.pread_up_to(*offset, &mut bytes)?;
                bytes.truncate(there);
                Ok(Value::Bytes(bytes))
            }
            Call::ReadStrict(offset, length) => {
                let mut bytes = vec![0xee; *length as usize];
                mapping.pread_strict(*offset, &mut bytes)?;
                Ok(Value::Bytes(bytes))
            }
            Call::Changed => self.grants.changed(mapping).map(|state| {
                let differences = [
                    (state.shorter, "shorter"),
                    (state.longer, "longer"),
                    (state.replaced, "replaced"),
                    (state.gone, "gone"),
                ];
                Value::State(described(state.length, differences))
            }),
        }
    }
}

fn number(word: u32) -> Value {
    Value::Number(word.into())
}

impl Subject for Native {
    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, String> {
        Native::call(self, slot, call).map_err(|error| match error.kind() {
            ErrorKind::Other => format!("other: {error}"),
            kind => kind.name().to_owned(),
        })
    }

    fn used(&self) -> (u64, u64, u64) {
        let used = self.usage.counters();
        (used.mappings, used.mapped_bytes, used.faults_recovered)
    }

    fn locks(&self) -> u64 {
        self.usage.counters().locks
    }
}

/// The options of an open.
pub fn options(open: &Open) -> OpenOptions {
    let options = OpenOptions::new()
        .access(open.access)
        .shared(open.shared)
        .private(open.private)
        .lock(open.lock)
        .populate(open.populate)
        .nocache(open.nocache)
        .create(open.create)
        .truncate(open.truncate)
        .exclusive(open.exclusive);
    open.size.map_or(options, |size| options.size(size))
}
