//! The native layer as a subject of the model: what its tests and the fuzz targets hold to it.

use iommap::{AccessMode, Advice, Error, ErrorKind, FsPerms, Grants, Limits, Mapping, OpenOptions};
use iommap::{Range, SyncMode, Usage};
use iommap_model::{Access, Call, NAMES, Open, SLOTS, Subject, Value};
use std::path::Path;
use std::sync::Arc;

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
        let few = iommap_model::Limits::default();
        let mut limits = Limits::default();
        limits.mappings = few.mappings;
        limits.mapped_bytes = few.mapped_bytes;
        limits.file_bytes = few.file_bytes;
        limits.call_bytes = few.call_bytes;
        let mut grants = Grants::default();
        grants.preopened_dir(directory, "/d", FsPerms::ReadWrite)?;
        grants.preopened_dir(directory, "/r", FsPerms::ReadOnly)?;
        grants.common_regions(common);
        Ok(Native { grants, usage: Usage::new(limits), slots: [const { None }; SLOTS] })
    }

    fn call(&mut self, slot: usize, call: &Call) -> Result<Value, Error> {
        let nothing = |()| Value::Nothing;
        if let Call::Open(open) = call {
            self.slots[slot] = None;
            let grant = if open.read_only_grant { "r" } else { "d" };
            let path = format!("/{grant}/{}", NAMES[open.name]);
            let mapping = self.grants.open(&self.usage, &path, &options(open))?;
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
            Call::Truncate(size) => mapping.set_len(*size).map(nothing),
            Call::Advise(offset, length, advice) => {
                mapping.advise(*offset, *length, hint(*advice)).map(nothing)
            }
        }
    }
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
}

fn options(open: &Open) -> OpenOptions {
    let access = match open.access {
        Access::Read => AccessMode::Read,
        Access::Write => AccessMode::Write,
        Access::ReadWrite => AccessMode::ReadWrite,
    };
    let options = OpenOptions::new()
        .access(access)
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
