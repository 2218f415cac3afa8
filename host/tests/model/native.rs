//! The native layer as a subject of the model.

use iommap::{AccessMode, Account, Advice, Error, FsPerms, Grants, Limits, Mapping, Range};
use iommap::{OpenOptions, SyncMode};
use iommap_model::{Access, Call, NAMES, Open, SLOTS, Subject, Value};
use std::path::Path;
use std::sync::Arc;

/// Mappings of one account, in slots.
pub(crate) struct Native {
    grants: Grants,
    /// What they are charged to.
    pub(crate) account: Arc<Account>,
    slots: [Option<Mapping>; SLOTS],
}

impl Native {
    /// No mappings yet, and a directory granted as the model wants it. With `share`, slots that
    /// hold a file in one mode use one region: the model must not tell.
    pub(crate) fn new(directory: &Path, share: bool) -> std::io::Result<Native> {
        let iommap_model::Limits { mappings, mapped_bytes, file_bytes, call_bytes } =
            iommap_model::Limits::default();
        let limits = Limits { mappings, mapped_bytes, file_bytes, call_bytes, ..Limits::default() };
        let mut grants = Grants::default();
        grants.preopened_dir(directory, "/d", FsPerms::ReadWrite)?;
        grants.preopened_dir(directory, "/r", FsPerms::ReadOnly)?;
        grants.share_regions(share);
        Ok(Native { grants, account: Account::new(limits), slots: [const { None }; SLOTS] })
    }

    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, Error> {
        let nothing = |()| Value::Nothing;
        if let Call::Open(open) = call {
            self.slots[slot] = None;
            let grant = if open.read_only_grant { "r" } else { "d" };
            let path = format!("/{grant}/{}", NAMES[open.name]);
            let mapping = Mapping::open(&self.grants, &self.account, &path, &options(open))?;
            self.slots[slot] = Some(mapping);
            return Ok(Value::Nothing);
        }
        if *call == Call::Drop {
            self.slots[slot] = None;
            return Ok(Value::Nothing);
        }
        let mapping = self.slots[slot].as_ref().ok_or(Error::Other(None))?;
        match call {
            Call::Open(_) | Call::Drop => Ok(Value::Nothing),
            Call::Close => mapping.close().map(nothing),
            Call::Position => mapping.position().map(Value::Number),
            Call::Pread(offset, length) => {
                let mut bytes = vec![0xee; *length as usize];
                mapping.pread(*offset, &mut bytes)?;
                Ok(Value::Bytes(bytes))
            }
            Call::Pwrite(offset, data) => mapping.pwrite(*offset, data).map(nothing),
            Call::PreadMany(list) => {
                let list = ranges(list);
                let mut bytes = vec![0xee; list.iter().map(|range| range.length as usize).sum()];
                mapping.pread_many(&list, &mut bytes)?;
                Ok(Value::Bytes(bytes))
            }
            Call::PwriteMany(list, data) => mapping.pwrite_many(&ranges(list), data).map(nothing),
            Call::Sync(mode) => mapping.sync(sync_mode(*mode)).map(nothing),
            Call::SyncRange(offset, length, mode) => {
                mapping.sync_range(*offset, *length, sync_mode(*mode)).map(nothing)
            }
            Call::Truncate(size) => mapping.truncate(*size).map(nothing),
            Call::Advise(offset, length, advice) => {
                mapping.advise(*offset, *length, hint(*advice)).map(nothing)
            }
        }
    }
}

impl Subject for Native {
    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, String> {
        Native::call(self, slot, call).map_err(|error| match error {
            Error::Other(words) => format!("other: {words:?}"),
            error => error.code().to_owned(),
        })
    }

    fn used(&self) -> (u64, u64, u64) {
        let used = self.account.counters();
        (used.mappings, used.mapped_bytes, used.faults_recovered)
    }
}

fn options(open: &Open) -> OpenOptions {
    OpenOptions {
        access: match open.access {
            Access::Read => AccessMode::Read,
            Access::Write => AccessMode::Write,
            Access::ReadWrite => AccessMode::ReadWrite,
        },
        shared: open.shared,
        private: open.private,
        lock: open.lock,
        populate: open.populate,
        nocache: open.nocache,
        create: open.create,
        truncate: open.truncate,
        exclusive: open.exclusive,
        size: open.size,
    }
}

fn ranges(list: &[iommap_model::Range]) -> Vec<Range> {
    list.iter().map(|range| Range { offset: range.offset, length: range.length }).collect()
}

fn sync_mode(mode: iommap_model::SyncMode) -> SyncMode {
    match mode {
        iommap_model::SyncMode::Sync => SyncMode::Sync,
        iommap_model::SyncMode::Async => SyncMode::Async,
    }
}

fn hint(advice: iommap_model::Advice) -> Advice {
    match advice {
        iommap_model::Advice::Normal => Advice::Normal,
        iommap_model::Advice::Random => Advice::Random,
        iommap_model::Advice::Sequential => Advice::Sequential,
        iommap_model::Advice::WillNeed => Advice::WillNeed,
        iommap_model::Advice::DontNeed => Advice::DontNeed,
    }
}
