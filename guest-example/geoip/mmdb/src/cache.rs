//! Records that were decoded lately.

use crate::{Database, Error, Record, Source, Value};

/// Records that were decoded lately: many addresses have the same one.
///
/// It belongs to one database.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Where a record can be, which is one place, is taken from its own.
    slots: Vec<Option<(Record, Value)>>,
}

impl Cache {
    /// A cache for at most so many records, rounded up to a power of two.
    pub fn new(records: usize) -> Cache {
        Cache { slots: vec![None; records.clamp(1, 1 << 24).next_power_of_two()] }
    }

    /// A record, decoded if it is not there.
    pub fn value<S: Source>(
        &mut self,
        database: &Database<S>,
        record: Record,
    ) -> Result<&Value, Error<S::Error>> {
        // The upper bits of the product depend on every bit of the record.
        let hash = (u64::from(record.0.wrapping_mul(0x9E37_79B1)) * self.slots.len() as u64) >> 32;
        let slot = &mut self.slots[hash as usize];
        if slot.as_ref().is_none_or(|(there, _)| *there != record) {
            *slot = None;
        }
        match slot {
            Some((_, value)) => Ok(value),
            None => Ok(&slot.insert((record, database.value(record)?)).1),
        }
    }
}
